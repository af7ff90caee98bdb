/* What is said in each protocol: signing in, messages, commands; and what is looked for in answers. */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int signed_in, signing_in, failed;
int64_t last_sign_in;

#define SEQ_DIGITS 8 /* ten would say that numbers are used once, and old phones did not say so */
#define LINE_HEAD "VER=1.4&CON=1&CMD="
#define LOGIN LINE_HEAD "Login&SEQ=%n&UIN=%u&PS=%s&M5=1&LC=9326B87B234E7235"
#define OPEN "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' " \
             "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
static const char POST[] = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n"
                           "Content-Length: %d\r\n\r\n";

/* What is said, and what must come before the next is said. */
static const char *XMPP_STEPS[][2] = {
    {OPEN, "</stream:features>"},
    {"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%b</auth>", "<success"},
    {OPEN, "</stream:features>"},
    {"<iq type='set' id='bound1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "bound1"},
    {"<presence/><iq type='get' id='ready1'><query xmlns='jabber:iq:roster'/></iq>", "ready1"},
};
static const char IRC_STEP[] = "NICK u%u\r\nUSER u%u 0 * :u%u\r\n";

static const char *MESSAGES[] = {
    [KQQ] = LINE_HEAD "CLTMSG&SEQ=%n&UIN=%u&SID=&XP=C4CA4238A0B92382&UN=%t&MG=%m\r\n",
    [XMPP] = "<message to='u%t@localhost' type='chat' id='m%n'><body>%m</body></message>",
    [IRC] = "PRIVMSG u%t :%m\r\n",
};

/* --- forms */

static char *base64(char *to, const unsigned char *from, int size)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < size; i += 3) {
        int have = size - i < 3 ? size - i : 3;
        uint32_t bits = from[i] << 16 | (have > 1 ? from[i + 1] << 8 : 0) |
                        (have > 2 ? from[i + 2] : 0);
        for (int j = 0; j < 4; j++)
            *to++ = j <= have ? digits[bits >> (18 - 6 * j) & 63] : '=';
    }
    return to;
}

/* %u is the person, %s the secret, %t who gets it, %b both for SASL; %n the SEQ, %m the text. */
static struct form fill_in(const struct person *p, const char *text, int to)
{
    struct form form = {malloc(LONGEST), 0, -1, -1};
    char *at = form.data;
    for (; *text; text++) {
        if (*text != '%') {
            *at++ = *text;
            continue;
        }
        switch (*++text) {
        case 'u': at += sprintf(at, "%d", p->uin); break;
        case 's': at += sprintf(at, "%s", p->secret); break;
        case 't': at += sprintf(at, "%d", to); break;
        case 'n':
            form.seq_at = at - form.data;
            memset(at, '0', SEQ_DIGITS);
            at += SEQ_DIGITS;
            break;
        case 'm':
            form.text_at = at - form.data;
            memset(at, '.', TEXT_SIZE);
            at += TEXT_SIZE;
            break;
        case 'b': {
            char plain[64];
            int size = sprintf(plain, "%cu%d%c%s", 0, p->uin, 0, p->secret);
            at = base64(at, (unsigned char *)plain, size);
        }
        }
    }
    form.size = at - form.data;
    return form;
}

static struct form as_post(struct form line)
{
    char head[sizeof POST + 8];
    int size = sprintf(head, POST, line.size);
    memmove(line.data + size, line.data, line.size);
    memcpy(line.data, head, size);
    line.size += size;
    line.seq_at += size;
    return line;
}

static char *mqtt_text(char *at, const char *text, int size)
{
    *at++ = size >> 8;
    *at++ = size;
    memcpy(at, text, size);
    return at + size;
}

/* A packet is a type, its length in one byte (ours are short), and what `end` points behind. */
static struct form mqtt_packet(struct form form, int type, char *end)
{
    form.data[0] = type;
    form.size = end - form.data;
    form.data[1] = form.size - 2;
    return form;
}

static struct form mqtt_sign_in(const struct person *p)
{
    struct form form = {malloc(LONGEST), 0, -1, -1};
    char name[16], *at = form.data + 2;
    int size = sprintf(name, "u%d", p->uin);
    if (p->step == 1) { /* subscribe to what comes to this person, QoS 0 */
        *at++ = 0;
        *at++ = 1;
        at = mqtt_text(at, name, size);
        *at++ = 0;
        return mqtt_packet(form, 0x82, at);
    }
    at = mqtt_text(at, "MQTT", 4);
    *at++ = 4;
    *at++ = (char)0xC2; /* name, password, a clean session; no keep-alives */
    *at++ = 0;
    *at++ = 0;
    at = mqtt_text(at, name, size);
    at = mqtt_text(at, name, size);
    at = mqtt_text(at, p->secret, strlen(p->secret));
    return mqtt_packet(form, 0x10, at);
}

static void number(struct person *p, struct form *form)
{
    static uint32_t first; /* none that this server was told lately by another of us */
    if (!first)
        first = 10000000 + time(NULL) * 977 % 40000000;
    if (form->seq_at < 0)
        return;
    uint32_t seq = first + p->seq++ % 50000000;
    for (int i = SEQ_DIGITS - 1; i >= 0; i--, seq /= 10)
        form->data[form->seq_at + i] = '0' + seq % 10;
}

void prepare_message(struct person *p, int to)
{
    free(p->message.data);
    if (!p->times)
        p->times = malloc(RING * sizeof *p->times);
    if (protocol != MQTT) {
        p->message = fill_in(p, MESSAGES[protocol], people[to].uin);
        return;
    }
    struct form form = {malloc(LONGEST), 0, -1, -1};
    char name[16];
    char *at = mqtt_text(form.data + 2, name, sprintf(name, "u%d", people[to].uin));
    form.text_at = at - form.data;
    memset(at, '.', TEXT_SIZE);
    p->message = mqtt_packet(form, 0x30, at + TEXT_SIZE);
}

/* A command of ours, or where there are no such commands (XMPP) a status: `%m` is its text. */
void prepare_command(struct person *p, const char *fields, const char *status)
{
    char line[LONGEST];
    const char *name_end = strchrnul(fields, '&');
    free(p->command.data);
    snprintf(line, sizeof line, LINE_HEAD "%.*s&SEQ=%%n&UIN=%%u&SID=&XP=C4CA4238A0B92382%s%s",
             (int)(name_end - fields), fields, name_end, protocol == HTTP ? "" : "\r\n");
    p->command = fill_in(p, protocol == XMPP ? status : line, 0);
    if (protocol == HTTP)
        p->command = as_post(p->command);
}

void write_command(struct person *p)
{
    number(p, &p->command);
    p->asked++;
    say(p, p->command.data, p->command.size);
}

static void hex(char *at, uint32_t value, int digits)
{
    for (; digits--; value >>= 4)
        at[digits] = "0123456789abcdef"[value & 15];
}

void write_message(struct person *p, int phase, int64_t at)
{
    char *text = p->message.data + p->message.text_at;
    p->times[++p->number % RING] = at;
    text[0] = MARK;
    hex(text + 1, phase, 2);
    hex(text + 3, p->index, 5);
    hex(text + 8, p->number, 8);
    number(p, &p->message);
    say(p, p->message.data, p->message.size);
}

/* --- signing in */

void sign_in_step(struct person *p)
{
    struct form form;
    switch (protocol) {
    case KQQ: form = fill_in(p, LOGIN "\r\n", 0); break;
    case HTTP: form = as_post(fill_in(p, LOGIN, 0)); break;
    case XMPP: form = fill_in(p, XMPP_STEPS[p->step][0], 0); break;
    case IRC: form = fill_in(p, IRC_STEP, 0); break;
    case MQTT: form = mqtt_sign_in(p); break;
    default: return;
    }
    number(p, &form);
    say(p, form.data, form.size);
    free(form.data);
    flush(p);
}

static void welcome(struct person *p)
{
    p->is_in = true;
    p->tries = 0;
    signed_in++;
    signing_in--;
    last_sign_in = now();
}

static void refused(struct person *p, const char *answer, size_t size)
{
    fprintf(stderr, "load: u%d is not let in: %.*s\n", p->uin, (int)(size < 300 ? size : 300),
            answer);
    disconnect(p);
    failed++;
}

/* Returns the size of a whole answer: a line, or over HTTP head and body; 0 if it has not ended. */
static size_t answer_size(const char *data, size_t size)
{
    const char *end;
    if (protocol != HTTP)
        return (end = memchr(data, '\n', size)) ? end + 1 - data : 0;
    if (!(end = memmem(data, size, "\r\n\r\n", 4)))
        return 0;
    const char *length = memmem(data, end - data, "Content-Length: ", 16);
    size_t all = end + 4 - data + (length ? atoi(length + 16) : 0);
    return all <= size ? all : 0;
}

static size_t hear_mqtt(struct person *p, const char *data, size_t size)
{
    size_t used = size >= 2 ? 2u + data[1] : 0;
    bool is_good = p->step ? (unsigned char)data[0] == 0x90 : data[0] == 0x20 && data[3] == 0;
    if (!used || used > size)
        return 0;
    if (!is_good)
        refused(p, "an MQTT error", 13);
    else if (p->step++)
        welcome(p);
    else
        sign_in_step(p);
    return used;
}

/* What comes with the last step of XMPP is kept: messages may be in it. */
size_t hear_sign_in(struct person *p, char *data, size_t size)
{
    size_t used;
    const int last = sizeof XMPP_STEPS / sizeof *XMPP_STEPS - 1;
    switch (protocol) {
    case KQQ:
    case HTTP:
        if (!(used = answer_size(data, size)))
            return 0;
        if (memmem(data, used, "&RS=0", 5))
            welcome(p);
        else
            refused(p, data, used);
        return used;
    case XMPP: {
        const char *wanted = XMPP_STEPS[p->step][1], *found;
        if (!(found = memmem(data, size, wanted, strlen(wanted)))) {
            if (memmem(data, size, "<failure", 8))
                refused(p, data, size);
            return 0;
        }
        if (p->step++ == last) {
            welcome(p);
            return 0;
        }
        sign_in_step(p);
        return found + strlen(wanted) - data;
    }
    case IRC:
        if (!memmem(data, size, " 422 ", 5) && !memmem(data, size, " 376 ", 5))
            return 0;
        welcome(p);
        return size;
    case MQTT: return hear_mqtt(p, data, size);
    }
    return size;
}

/* --- answers */

static int value(const char *at, int digits, uint32_t *result)
{
    *result = 0;
    for (int i = 0; i < digits; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return 0;
        *result = *result << 4 | digit;
    }
    return 1;
}

/* Calls `found` for each mark; returns what was looked at, save for a mark that has not ended. */
size_t find_marks(char *data, size_t size, void (*found)(int, int, uint32_t))
{
    char *at = data, *end = data + size;
    uint32_t phase, sender, number;
    while ((at = memchr(at, MARK, end - at))) {
        if (end - at < MARK_SIZE)
            return at - data;
        if (value(at + 1, 2, &phase) && value(at + 3, 5, &sender) && value(at + 8, 8, &number))
            found(phase, sender, number);
        at++;
    }
    return size;
}

/* Counts answers, good if they say RES=0; what is said of friends is none. */
size_t count_lines(char *data, size_t size, int *good, int *bad)
{
    size_t used = 0, one;
    while ((one = answer_size(data + used, size - used))) {
        if (memmem(data + used, one < 40 ? one : 40, "update_stat", 11))
            ;
        else if (memmem(data + used, one, "&RES=0", 6))
            ++*good;
        else if (!(*bad)++)
            fprintf(stderr, "load: refused: %.*s", (int)one, data + used);
        used += one;
    }
    return used;
}

size_t count_words(char *data, size_t size, const char *word, int *count)
{
    size_t length = strlen(word);
    char *at = data, *end = data + size, *found;
    while ((found = memmem(at, end - at, word, length))) {
        ++*count;
        at = found + length;
    }
    size_t left = end - at; /* the beginning of another may be at the end */
    return size - (left < length ? left : length - 1);
}
