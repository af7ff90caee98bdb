/* A load generator for chat servers: one thread, one epoll, one clock for both ends.
 *
 * It takes commands on standard input, a line each, and answers each with one JSON object on a line;
 * main.c lists them. The people come from a file. A message is recognised by a mark in its text,
 * whatever a protocol wraps around it, so nothing here parses XML.
 */
#ifndef LOAD_H
#define LOAD_H
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum protocol { KQQ, HTTP, XMPP, IRC, MQTT };

#define RING 4096      /* messages of one sender that may be on their way */
#define TEXT_SIZE 40   /* bytes of the text of a message */
#define MARK_SIZE 16   /* ^, phase (2), sender (5), number (8), all hexadecimal */
#define MARK '^'
#define LONGEST 1024   /* bytes of a command of ours */

struct bytes { char *data; size_t size, room; };

/* One line, stanza or packet, written once and then filled in: where text and SEQ are, or -1. */
struct form { char *data; int size, text_at, seq_at; };

struct person {
    int index, uin, fd, step, tries; /* fd is -1 without a connection */
    bool is_in, waits_to_write, is_due;
    char secret[36];
    uint32_t seq;             /* of the last command */
    uint32_t number, arrived; /* of the last message in this phase: written, arrived */
    uint32_t asked, answered; /* commands in this phase */
    int64_t began;            /* when the last command was said, or was due */
    int64_t *times;           /* when messages were said, by number modulo RING */
    struct form message, command;
    struct bytes out, rest;
};

extern enum protocol protocol;
extern struct person *people;
extern int crowd;                  /* how many people there are */
extern struct person *bystander;   /* says a cheap command all the time, or NULL */
extern int lost, signed_in, signing_in, failed;
extern int64_t last_sign_in;
/* Takes what came to somebody who is signed in; returns how many bytes it is done with. */
extern size_t (*hear)(struct person *, char *, size_t);

/* net.c */
int64_t now(void);
_Noreturn void fail(const char *what);
void prepare_net(int port);
void connect_person(struct person *);
void disconnect(struct person *);
void say(struct person *, const char *, size_t);
void flush(struct person *);
void turn(int64_t until); /* wait for news until then at the latest, and take them */
void rest_until(int64_t until);

/* speech.c */
void sign_in_step(struct person *);
size_t hear_sign_in(struct person *, char *, size_t);
void prepare_message(struct person *, int to);
void prepare_command(struct person *, const char *fields, const char *status);
void write_message(struct person *, int phase, int64_t at);
void write_command(struct person *);
size_t find_marks(char *, size_t, void (*found)(int phase, int sender, uint32_t number));
size_t count_lines(char *, size_t, int *good, int *bad);
size_t count_words(char *, size_t, const char *word, int *count);

/* figures.c */
double server_cpu(void);
double own_cpu(void);
void watch_server(char *pids);
void forget_samples(void);
void sample(int64_t nanoseconds);
void say_samples(void); /* "count", "p50", "p99", "p999", "worst" in ms, with a comma before each */

/* messages.c */
void choose_pairs(int count);
void run_window(int window, double warm_up, double seconds);
void run_paced(double rate, double warm_up, double seconds);
void run_store(int each, int batch);
void run_replay(int each, int at_once);

/* crowd.c */
void run_sign_ins(int first, int end, int at_once, double limit);
void run_sign_outs(int first, int end);
void run_keep_alives(int first, int end, double seconds);
void run_polls(int first, int end, double warm_up, double seconds);

/* friends.c */
void choose_bystander(int index);
void speak_as_bystander(void);
size_t hear_as_bystander(char *, size_t);
int64_t bystander_due(void);
void run_rest(double seconds);
void run_fan_out(int who, int first, int count, int repeats, double pause);
void run_pages(int who, const char *command);
#endif
