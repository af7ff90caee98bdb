/* Many friends: a status that all must be told, lists in pages, and who waits meanwhile. */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 10000000000LL
#define TICK 1000000LL
#define BYSTANDER_GAP 500000LL /* ns between two commands of the bystander, if answered by then */

struct person *bystander;
static int64_t worst_wait;
static long waits;

/* --- the bystander */

void choose_bystander(int index)
{
    bystander = index < 0 ? NULL : &people[index];
    if (bystander) {
        prepare_command(bystander, "Query_Stat2&CM=2&UN=0", "");
        bystander->asked = bystander->answered = 0;
        bystander->began = now();
    }
    printf("{\"bystander\":%d}\n", index);
}

int64_t bystander_due(void)
{
    bool waits_for_answer = bystander->answered < bystander->asked;
    return waits_for_answer ? INT64_MAX : bystander->began + BYSTANDER_GAP;
}

void speak_as_bystander(void)
{
    if (bystander->fd >= 0 && bystander_due() <= now()) {
        bystander->began = now();
        write_command(bystander);
        flush(bystander);
    }
}

size_t hear_as_bystander(char *data, size_t size)
{
    int good = 0, bad = 0;
    size_t used = count_lines(data, size, &good, &bad);
    if (good + bad) {
        int64_t wait = now() - bystander->began;
        bystander->answered += good + bad;
        waits++;
        if (wait > worst_wait)
            worst_wait = wait;
    }
    return used;
}

/* How long the bystander's longest wait was since the last call, with one that still lasts. */
static double worst_of_bystander(void)
{
    if (!bystander)
        return 0;
    for (int64_t until = now() + PATIENCE; bystander->answered < bystander->asked && now() < until;)
        turn(now() + TICK);
    double worst = worst_wait / 1e6;
    worst_wait = 0;
    return worst;
}

static size_t hear_nothing(struct person *p, char *data, size_t size)
{
    (void)p;
    (void)data;
    return size;
}

void run_rest(double seconds)
{
    hear = hear_nothing;
    worst_of_bystander();
    waits = 0;
    rest_until(now() + seconds * 1e9);
    double worst = worst_of_bystander();
    printf("{\"seconds\":%.3f,\"waits\":%ld,\"worst\":%.4f}\n", seconds, waits, worst);
}

/* --- a status for all friends */

static int first_friend, friend_count, told;
static int64_t first_told, last_told;
static char sign[32]; /* what a friend is told; set before anything is heard */

static size_t hear_status(struct person *p, char *data, size_t size)
{
    int count = 0;
    if (p->index < first_friend || p->index >= first_friend + friend_count)
        return size;
    size_t used = count_words(data, size, sign, &count);
    if (count) {
        last_told = now();
        if (!told)
            first_told = last_told;
        told += count;
    }
    return used;
}

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static void say_sorted(const char *name, double *values, int count)
{
    qsort(values, count, sizeof *values, compare);
    printf("\"%s\":[", name);
    for (int i = 0; i < count; i++)
        printf("%s%.4f", i ? "," : "", values[i]);
    printf("]");
}

void run_fan_out(int who, int first, int count, int repeats, double pause)
{
    struct person *p = &people[who];
    double all[repeats], until_first[repeats], held[repeats];
    static int said; /* in all rounds, since a status that is the same is no change */
    int complete = 0;
    first_friend = first;
    friend_count = count;
    hear = hear_nothing;
    rest_until(now() + 300000000LL);
    hear = hear_status;
    double server = server_cpu();
    for (int i = 0; i < repeats; i++) {
        char status[128];
        /* A status as it is said is the same length each time, and no two are alike in XMPP. */
        snprintf(sign, sizeof sign, "%cfan%07d", MARK, said);
        snprintf(status, sizeof status, "<presence><status>%s</status></presence>", sign);
        if (protocol != XMPP)
            strcpy(sign, "&CMD=update_stat&");
        prepare_command(p, said++ % 2 ? "Change_Stat&ST=10" : "Change_Stat&ST=30", status);
        worst_of_bystander();
        told = 0;
        int64_t began = now();
        write_command(p);
        flush(p);
        while (told < count && now() < began + PATIENCE)
            turn(now() + TICK);
        complete += told >= count;
        all[i] = (last_told - began) / 1e6;
        until_first[i] = (first_told - began) / 1e6;
        rest_until(now() + pause * 1e9);
        held[i] = worst_of_bystander();
    }
    printf("{\"repeats\":%d,\"complete\":%d,\"cpu\":%.4f,", repeats, complete,
           (server_cpu() - server) / repeats * 1e3);
    say_sorted("all", all, repeats);
    printf(",");
    say_sorted("first", until_first, repeats);
    printf(",");
    say_sorted("held", held, repeats);
    printf(",\"lost\":%d}\n", lost);
}

/* --- lists in pages */

static char page[1 << 17];
static size_t page_size;

static size_t hear_page(struct person *p, char *data, size_t size)
{
    (void)p;
    char *end = memchr(data, '\n', size);
    if (!end || memmem(data, end - data, "&CMD=update_stat&", 17))
        return end ? end + 1 - data : 0;
    page_size = end - data < (long)sizeof page - 1 ? (size_t)(end - data) : sizeof page - 1;
    memcpy(page, data, page_size);
    page[page_size] = 0;
    return end + 1 - data;
}

static long field(const char *name)
{
    char *at = strstr(page, name);
    return at ? atol(at + strlen(name)) : -1;
}

/* Numbers in a list end in commas; the last is what the next page is asked for by. */
static long last_number(void)
{
    char *at = strstr(page, "&UN="), *end = at ? strchrnul(at + 1, '&') : NULL;
    if (!at)
        return -1;
    while (end > at + 4 && (end[-1] == ',' || end[-1] == '\r'))
        end--;
    while (end > at + 4 && end[-1] >= '0' && end[-1] <= '9')
        end--;
    return atol(end);
}

/* Asks for all pages of a list, one after another. */
void run_pages(int who, const char *command)
{
    struct person *p = &people[who];
    long start = 0, pages = 0, entries = 0;
    double slowest = 0;
    hear = hear_page;
    worst_of_bystander();
    int64_t began = now();
    for (bool is_last = false; !is_last && pages < 100000; pages++) {
        char fields[128];
        snprintf(fields, sizeof fields, command, start);
        prepare_command(p, fields, "");
        page_size = 0;
        int64_t asked = now();
        write_command(p);
        flush(p);
        while (!page_size && p->fd >= 0 && now() < asked + PATIENCE)
            turn(now() + TICK);
        if (!page_size || !strstr(page, "&RES=0")) {
            fprintf(stderr, "load: %s brought %s\n", fields, page_size ? page : "nothing");
            break;
        }
        double took = (now() - asked) / 1e6;
        slowest = took > slowest ? took : slowest;
        entries += field("&SN=") > 0 ? field("&SN=") : 0;
        if (strstr(page, "&NP=")) {
            start = field("&NP=");
            is_last = start == 65535;
        } else if (strstr(page, "&CMD=LIST&")) {
            is_last = true;
        } else {
            start = last_number();
            is_last = field("&FN=") != 0;
        }
    }
    double seconds = (now() - began) / 1e9, held = worst_of_bystander();
    printf("{\"pages\":%ld,\"entries\":%ld,\"seconds\":%.4f,\"slowest\":%.4f,\"held\":%.4f,\"lost\":%d}\n",
           pages, entries, seconds, slowest, held, lost);
}
