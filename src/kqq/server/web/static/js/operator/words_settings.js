// What settings are for, in Chinese; in English the server says it.

import { register } from "../common/words.js";

const help = {
  advertise: "告诉手机的服务器地址。留空则用入口的地址，或手机所连接的地址。",
  heartbeat: "登录回复中的 HI，秒；真实服务器都是 60。",
  lifetime: "登录回复中的 LI，秒；有一个客户端只认 300。",
  update_version: "客户端获取的配置中的最新版本；留空为没有。",
  update_url: "新版本的下载地址。",
  update_must: "是否告诉客户端必须升级。",
  update_help: "客户端显示的升级说明。",
  registration: "谁可以注册：只有管理人员、凭邀请，或任何人。",
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
  same_address: "HTTP 会话中视为同一地址的网段。有风险：同一网段的人可以冒充他人。",
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
  sign_in_time: "连接在无人登录时可以保持的秒数。",
  slow_reader_time: "客户端多少秒不读取就断开。",
  arrival_time: "多少秒后查看客户端系统是否确认收到消息。",
  breath: "对 ZNQQ、QQBot、yiwoSDK 这类客户端，两行之间的秒数。",
  take_limit: "轮到别人之前交给一个连接的消息和状态数。",
  turn_limit: "轮到别人之前处理一个连接的行数。",
  replies_limit: "一个连接可以等待写盘的回复数。",
  log_level: "日志记录的级别。",
};

const group = {
  "data and doors": "数据与入口",
  "what phones are told": "告诉手机的内容",
  people: "用户",
  captcha: "验证码",
  "messages and lists": "消息与列表",
  "addresses and HTTP": "地址与 HTTP",
  "limits against floods": "防洪限制",
  connections: "连接",
  "the log": "日志",
  browsers: "浏览器",
};

const named = (prefix, words) =>
  Object.fromEntries(Object.entries(words).map(([name, text]) => [`op.${prefix}.${name}`, text]));

register({ en: {}, zh: { ...named("help", help), ...named("group", group) } });
