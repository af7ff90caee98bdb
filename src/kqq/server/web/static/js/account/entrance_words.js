// The words of the way in.

export const entranceWords = {
  en: {
    "entrance.title": "Way in",
    "entrance.loading": "One moment…",
    "entrance.again": "Try again",
    "entrance.no_number_open": "No number yet?",
    "entrance.no_number_invitation": "Were you invited?",
    "entrance.to_sign_up": "Sign up",
    "entrance.has_number": "You have a number?",
    "entrance.to_sign_in": "Sign in",

    "sign_in.title": "Sign in",
    "sign_in.button": "Sign in",
    "sign_in.wrong": "The number or the password is wrong.",
    "sign_in.device": "This is the password of one of your phones. Here you need your own.",
    "sign_in.suspended": "This number is suspended. Ask the operator of this server.",
    "sign_in.suspended_because": "This number is suspended: {reason}",

    "captcha.picture": "Picture with letters",
    "captcha.another": "Another picture",
    "captcha.letters": "Letters of the picture",
    "captcha.hint": "Capitals or not, it does not matter. If you cannot see it, ask the operator.",
    "captcha.wanted": "Type the letters of this picture, so that we know you are no program.",
    "captcha.wrong": "These were not the letters. Here is another picture.",
    "captcha.empty": "Type the letters of the picture.",

    "sign_up.title": "Take a number",
    "sign_up.button": "Sign up",
    "sign_up.nick": "Nickname",
    "sign_up.nick_empty": "Type a nickname.",
    "sign_up.nick_bad": "Take a nickname of 1 to 64 characters.",
    "sign_up.password_bad": "This password cannot be taken: {why}",
    "sign_up.code": "Invitation code",
    "sign_up.code_hint": "Whoever invited you has it. Blanks do not matter.",
    "sign_up.code_empty": "Type the code of your invitation.",
    "sign_up.invitation": "This invitation is not valid: mistyped, used up, or too old.",
    "sign_up.closed": "This server gives out no numbers any more.",
    "sign_up.too_many": "Too many numbers were made from your address today. Try again tomorrow.",
    "sign_up.full": "This server has no numbers left. Ask its operator.",
    "sign_up.advice":
      "Old phones send their password in a form that others on the way can read. So this one is "
      + "for browsers only; each phone gets a password of its own, which you make on your account "
      + "page.",

    "first.title": "First administrator",
    "first.words":
      "This link works once. Whoever uses it may do everything on this server from then on.",
    "first.which": "Who becomes administrator?",
    "first.new": "New number",
    "first.known": "My number",
    "first.button_new": "Take a number and begin",
    "first.button_known": "Become administrator",
    "first.code":
      "This link is not valid any more. If there is no administrator yet, the server prints a new "
      + "one when it starts.",

    "welcome.title": "Welcome, {nick}",
    "welcome.number": "Your number",
    "welcome.copy_name": "your number",
    "welcome.words":
      "Write it down: you sign in with this number, not with your nickname, and friends find you "
      + "by it.",
    "welcome.phones": "For a phone, make a password on your account page.",
    "welcome.go": "I have it, go on",
  },
  zh: {
    "entrance.title": "登录",
    "entrance.loading": "请稍候…",
    "entrance.again": "重试",
    "entrance.no_number_open": "还没有号码？",
    "entrance.no_number_invitation": "有人邀请您？",
    "entrance.to_sign_up": "申请号码",
    "entrance.has_number": "已经有号码？",
    "entrance.to_sign_in": "登录",

    "sign_in.title": "登录",
    "sign_in.button": "登录",
    "sign_in.wrong": "号码或密码错误。",
    "sign_in.device": "这是您某部手机的设备密码。在这里请用您自己的密码。",
    "sign_in.suspended": "该号码已被停用，请联系本服务器的管理员。",
    "sign_in.suspended_because": "该号码已被停用：{reason}",

    "captcha.picture": "含有字母的图片",
    "captcha.another": "换一张",
    "captcha.letters": "图中的字母",
    "captcha.hint": "不分大小写。如果看不见图片，请联系管理员。",
    "captcha.wanted": "请输入图中的字母，以证明您不是程序。",
    "captcha.wrong": "字母不对，请看新的图片。",
    "captcha.empty": "请输入图中的字母。",

    "sign_up.title": "申请号码",
    "sign_up.button": "申请",
    "sign_up.nick": "昵称",
    "sign_up.nick_empty": "请输入昵称。",
    "sign_up.nick_bad": "昵称须为 1 至 64 个字符。",
    "sign_up.password_bad": "这个密码不能用：{why}",
    "sign_up.code": "邀请码",
    "sign_up.code_hint": "邀请您的人知道。空格无关紧要。",
    "sign_up.code_empty": "请输入邀请码。",
    "sign_up.invitation": "邀请码无效：输错、已用完或已过期。",
    "sign_up.closed": "本服务器不再发放号码。",
    "sign_up.too_many": "今天从您的地址申请的号码太多，请明天再试。",
    "sign_up.full": "本服务器的号码已发完，请联系管理员。",
    "sign_up.advice":
      "老手机发送密码时，途中的人可以看到。所以这个密码只用于浏览器；每部手机各用自己的设备密码，"
      + "在账号页面生成。",

    "first.title": "首位管理员",
    "first.words": "这个链接只能用一次。用过它的人从此可以管理整个服务器。",
    "first.which": "谁来当管理员？",
    "first.new": "新号码",
    "first.known": "我的号码",
    "first.button_new": "申请号码并开始",
    "first.button_known": "成为管理员",
    "first.code": "这个链接已失效。如果还没有管理员，服务器启动时会打印新的链接。",

    "welcome.title": "欢迎，{nick}",
    "welcome.number": "您的号码",
    "welcome.copy_name": "您的号码",
    "welcome.words": "请记下来：登录用的是号码，不是昵称；好友也用它找到您。",
    "welcome.phones": "手机用的密码请在账号页面生成。",
    "welcome.go": "记好了，继续",
  },
};
