// What settings are for, in Chinese; in English the server says it.

import { register } from "../common/words.js";

const help = {
  registration: "谁可以注册：只有管理员、凭邀请，或任何人。",
  registrations_per_address: "一个地址一天内可以注册的账号数。",
  lowest_number: "新用户号码从这里开始。",
  who_may_add: "新账号在本人选择之前，谁可以加好友。",
  who_may_write: "新账号在本人选择之前，谁可以发消息。",
  captcha: "何时在登录时要求输入验证码。",
  captcha_failures: "失败多少次登录之后要求验证码。",
  captcha_time: "验证码的有效时间，秒。",
  captcha_grace: "答对之后不再要求验证码的时间，秒。",
  text_limit: "一条消息的字符数；最多 16000。",
  inbox_limit: "一个账号可以等待的消息数。",
  friends_per_page: "SIMPLEINFO2、QUERY_STAT2 和 QUERY_STAT 每页的条数。",
  list_limit: "LIST 回复中的号码数。",
  repeat_time: "多少秒内重复的同一行得到同样的回复，因为有些客户端会重发。",
  repeat_time_unique: "同上，用于 SEQ 为十位数的行。",
  connections_per_address: "一个地址同时打开的连接数；超出的立即关闭。",
  commands_rate: "一个账号每秒的命令数；更快的会晚些回复。",
  commands_burst: "一个账号可以一次发送的命令数，之后按 commands_rate 计算。",
  messages_rate: "一个账号每秒的消息数；超出的被拒绝。",
  messages_burst: "一个账号可以一次发送的消息数，之后按 messages_rate 计算。",
  sign_ins_rate: "一个地址每秒失败的登录数（同一号码为十倍）；超出的被拒绝。",
  sign_ins_burst: "一个地址可以一次失败的登录数（同一号码为十倍）。",
  hashes_waiting: "等待核对密码的登录数；超出的被拒绝。",
  requests_per_day: "一个账号一天可以发送的好友请求数。",
  nonsense_limit: "关闭连接之前允许的无法识别或未登录的行数。",
  nonsense_refill: "每过多少秒再允许一行。",
};

const group = {
  people: "用户",
  captcha: "验证码",
  "messages and lists": "消息与列表",
  "limits against floods": "防洪限制",
};

const named = (prefix, words) =>
  Object.fromEntries(Object.entries(words).map(([name, text]) => [`op.${prefix}.${name}`, text]));

register({ en: {}, zh: { ...named("help", help), ...named("group", group) } });
