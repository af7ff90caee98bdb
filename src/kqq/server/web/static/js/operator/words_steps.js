// What an operator can do about each step of a sign-in; the steps themselves are those that people
// read of their own sign-ins.

import { stepWords } from "../common/step_words.js";
import { register } from "../common/words.js";
import { pairs } from "./pairs.js";

register(stepWords);

pairs("op.remedy.", {
  disconnected: ["sign in again", "请重新登录"],
  unreadable: [
    "look what the line is; only clients of Mobile QQ can be served",
    "请看看这一行是什么；本服务器只支持手机 QQ 客户端",
  ],
  unknown_number: [
    "check the number, or add an account for it", "请检查号码，或为它添加账号",
  ],
  wrong_password: [
    "type it again; an operator can set a new one", "请重新输入；管理员可以设置新密码",
  ],
  busy: ["try again in a minute", "请一分钟后再试"],
  suspended: ["an operator can end this", "管理员可以恢复它"],
  captcha_shown: [
    "sign in again and type what the picture shows; not every client can show it",
    "请重新登录并输入图片中的字母；并非所有客户端都能显示图片",
  ],
  captcha_wrong: ["sign in again for another picture", "请重新登录，换一张图片"],
  captcha_expired: ["sign in again and be quicker", "请重新登录，并尽快输入"],
  replaced: [
    "a number can be signed in once; if that was somebody else, change the password",
    "一个号码只能同时登录一处；如果不是本人，请修改密码",
  ],
  signed_out: ["sign in again", "请重新登录"],
  expired: [
    "sign in again; a client must say something at intervals",
    "请重新登录；客户端必须定时发送内容",
  ],
  limited: ["wait some minutes, then try again", "请等几分钟再试"],
  early: [
    "sign in; a client may believe that it still is, as after a restart of the server",
    "请登录；客户端可能以为自己仍在线，比如服务器重启之后",
  ],
  not_kqq: [
    "a client posts lines to this door; browsers, scanners and proxies do such things",
    "客户端应把协议内容 POST 到此入口；这多半是浏览器、扫描器或代理发来的",
  ],
  tls_failed: [
    "old phones cannot do the TLS of today; let them use a door without it",
    "老手机不支持今天的 TLS；请让它们使用不带 TLS 的入口",
  ],
  closed: ["see the steps before this", "请看前面的步骤"],
  kicked: ["sign in again", "请重新登录"],
  no_picture: [
    "let the client be of version 1.4, or the setting be captcha=after-failures",
    "请使用 1.4 版客户端，或把设置改为 captcha=after-failures",
  ],
});

pairs("op.advice.", {
  no_account: [
    "There is no account {who}; check the number, or add it.",
    "没有账号 {who}；请检查号码，或添加该账号。",
  ],
  suspended: ["{who} is suspended.", "{who} 已停用；恢复后才能登录。"],
  suspended_because: ["{who} is suspended: {reason}.", "{who} 已停用：{reason}。恢复后才能登录。"],
  nothing: [
    "Nothing is known of {who}: nothing of it has reached the server lately; look at the address "
      + "and the port that the client has, and whether a firewall stands between.",
    "没有 {who} 的任何记录：最近没有收到来自它的内容；请检查客户端设置的地址和端口，"
      + "以及中间是否有防火墙。",
  ],
  silent: [
    "nothing followed; look whether the client's port is meant for what it speaks",
    "之后再没有内容；请检查客户端所用端口是否与其协议相符",
  ],
  do: ["At {when}: {step}; {remedy}.", "{when}：{step}；{remedy}。"],
  step: ["At {when}: {step}.", "{when}：{step}。"],
});

// What the server itself says in details; all else is what somebody sent.
const details = {
  closed: "已关闭",
  "closed by the client": "客户端关闭了连接",
  "cut off": "被切断",
  "kicked by the operator": "管理员的操作",
  suspended: "账号已停用",
  "the account was deleted": "账号已删除",
  "the password of a device was revoked": "设备密码已撤销",
  "the password was changed": "密码已更改",
  "the server stops": "服务器停止运行",
  "too many commands of this account": "此账号的命令太多",
  "too many connections from this address": "来自此地址的连接太多",
  "too many lines that cannot be read or need a sign-in": "无法识别或未登录的内容太多",
  "too many sign-ins from this address failed": "来自此地址的登录失败太多",
  "too many sign-ins that failed": "登录失败太多",
  "too many sign-ins with this number failed, from wherever": "此号码的登录失败太多",
};

register({
  en: {},
  zh: Object.fromEntries(Object.entries(details).map(([en, zh]) => [`op.detail.${en}`, zh])),
});
