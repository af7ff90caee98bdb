/* Many people: signing in and out, signs of life, polls over HTTP. */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE 20000000000LL
#define TICK 5000000LL

static int good, bad;
static bool is_measuring, goes_on;

static size_t hear_nothing(struct person *p, char *data, size_t size)
{
    (void)p;
    (void)data;
    return size;
}

void run_sign_ins(int first, int end, int at_once, double limit)
{
    int64_t began = now(), until = began + limit * 1e9;
    double server = server_cpu(), own = own_cpu();
    int before = signed_in, next = first;
    hear = hear_nothing;
    failed = 0;
    forget_samples();
    last_sign_in = began;
    while ((next < end || signing_in > 0) && now() < until) {
        while (next < end && signing_in < at_once) {
            people[next].tries = 0;
            connect_person(&people[next++]);
        }
        turn(now() + TICK);
    }
    double seconds = (last_sign_in - began) / 1e9;
    int count = signed_in - before;
    printf("{\"seconds\":%.4f,\"rate\":%.1f,\"count\":%d,\"failed\":%d,\"cpu\":%.4f,\"own\":%.4f,"
           "\"lost\":%d}\n",
           seconds, seconds > 0 ? count / seconds : 0, count, end - first - count,
           count ? (server_cpu() - server) / count * 1e6 : 0,
           seconds > 0 ? (own_cpu() - own) / seconds : 0, lost);
}

void run_sign_outs(int first, int end)
{
    for (int i = first; i < end; i++) {
        disconnect(&people[i]);
        people[i].rest.size = people[i].out.size = 0;
    }
    lost = 0;
    printf("{\"count\":%d}\n", end - first);
}

static size_t hear_answers(struct person *p, char *data, size_t size)
{
    int before = good + bad;
    size_t used = count_lines(data, size, &good, &bad);
    if (good + bad > before) {
        if (is_measuring)
            sample(now() - p->began);
        p->answered += good + bad - before;
        if (goes_on) {
            p->began = now();
            write_command(p);
            flush(p);
        }
    }
    return used;
}

static void begin(int first, int end, const char *command)
{
    good = bad = 0;
    forget_samples();
    hear = hear_answers;
    for (int i = first; i < end; i++) {
        people[i].asked = people[i].answered = 0;
        prepare_command(&people[i], command, "");
    }
}

static void finish(int first, int end)
{
    int asked = 0;
    for (int i = first; i < end; i++)
        asked += people[i].asked;
    for (int64_t until = now() + PATIENCE; good + bad < asked && now() < until;)
        turn(now() + TICK);
    printf(",\"asked\":%d,\"answered\":%d,\"refused\":%d,\"lost\":%d}\n", asked, good, bad, lost);
}

/* Everybody gives one sign of life within so many seconds, evenly spread; each must be answered. */
void run_keep_alives(int first, int end, double seconds)
{
    begin(first, end, "Query_Stat2&CM=2&UN=0");
    goes_on = false;
    is_measuring = true;
    int64_t began = now(), gap = seconds * 1e9 / (end - first);
    for (int next = first; next < end;) {
        int64_t at = now();
        while (next < end && began + gap * (next - first) <= at) {
            struct person *p = &people[next++];
            if (p->fd < 0)
                continue;
            p->began = began + gap * (p->index - first);
            write_command(p);
            flush(p);
        }
        turn(began + gap * (next - first));
    }
    for (int64_t until = now() + PATIENCE; good + bad < end - first - lost && now() < until;)
        turn(now() + TICK);
    printf("{\"seconds\":%.3f", seconds);
    say_samples();
    finish(first, end);
}

/* Each has one poll on its way. */
void run_polls(int first, int end, double warm_up, double seconds)
{
    begin(first, end, "GetMsgEx");
    goes_on = true;
    is_measuring = false;
    for (int i = first; i < end; i++) {
        people[i].began = now();
        write_command(&people[i]);
        flush(&people[i]);
    }
    rest_until(now() + warm_up * 1e9);
    int before = good;
    int64_t began = now();
    double server = server_cpu(), own = own_cpu();
    is_measuring = true;
    rest_until(began + seconds * 1e9);
    is_measuring = goes_on = false;
    double took = (now() - began) / 1e9;
    int count = good - before;
    printf("{\"seconds\":%.3f,\"rate\":%.1f,\"cpu\":%.4f,\"own\":%.4f", took, count / took,
           count ? (server_cpu() - server) / count * 1e6 : 0, (own_cpu() - own) / took);
    say_samples();
    finish(first, end);
}
