/* Messages from one half of the people to the other: closed loops, an open loop, and who is away. */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 20000000000LL /* ns in which what is on its way must arrive, or be answered */
#define TICK 5000000LL

static int pairs, phase, window;
static bool is_measuring, is_writing;
static uint64_t arrived, repeated, missed;
static int taken, refused;
static struct person **due;
static int due_count;
static int64_t heard_at;
static const char CONFIRM[] = "<iq type='get' id='confirm' to='localhost'>"
                              "<ping xmlns='urn:xmpp:ping'/></iq>";

/* Two lines in one write say that a client reads a stream, so it may be sent all that is due in one
 * write, too. Senders with a window say so anyway; old phones that only read never did. */
static void say_two_lines(struct person *p)
{
    prepare_command(p, "Query_Stat2&CM=2&UN=0", "");
    write_command(p);
    write_command(p);
    flush(p);
}

void choose_pairs(int count)
{
    if (2 * count > crowd)
        count = crowd / 2;
    pairs = count;
    due = realloc(due, count * sizeof *due);
    for (int i = 0; i < count; i++) {
        prepare_message(&people[i], count + i);
        if (protocol == KQQ && people[count + i].is_in)
            say_two_lines(&people[count + i]);
    }
    printf("{\"pairs\":%d}\n", count);
}

static void is_due(struct person *p)
{
    if (!p->is_due) {
        p->is_due = true;
        due[due_count++] = p;
    }
}

/* A message has arrived; what comes again, or comes too late for its phase, does not count. */
static void message_came(int of, int sender, uint32_t number)
{
    if (of != phase || sender >= pairs)
        return;
    struct person *p = &people[sender];
    if (number <= p->arrived) {
        repeated++;
        return;
    }
    missed += number - p->arrived - 1;
    p->arrived = number;
    if (is_measuring) {
        arrived++;
        sample(heard_at - p->times[number % RING]);
    }
    if (is_writing && window)
        is_due(p);
}

static size_t hear_messages(struct person *p, char *data, size_t size)
{
    if (p->index >= pairs) {
        heard_at = now();
        return find_marks(data, size, message_came);
    }
    if (protocol == KQQ) {
        int before = taken + refused;
        size_t used = count_lines(data, size, &taken, &refused);
        p->answered += taken + refused - before;
        if (is_writing && !window)
            is_due(p);
        return used;
    }
    if (protocol == XMPP && !window) {
        int count = 0;
        size_t used = count_words(data, size, "confirm", &count);
        p->answered += count;
        if (is_writing)
            is_due(p);
        return used;
    }
    return size;
}

static void begin_phase(void)
{
    phase = (phase + 1) & 0xff;
    forget_samples();
    arrived = repeated = missed = 0;
    taken = refused = due_count = 0;
    is_measuring = false;
    is_writing = true;
    hear = hear_messages;
    for (int i = 0; i < crowd; i++) {
        struct person *p = &people[i];
        p->number = p->arrived = p->asked = p->answered = 0;
        p->is_due = false;
    }
}

static uint64_t on_the_way(void)
{
    uint64_t count = 0;
    for (int i = 0; i < pairs; i++)
        count += people[i].number - people[i].arrived;
    return count;
}

static uint64_t written(void)
{
    uint64_t count = 0;
    for (int i = 0; i < pairs; i++)
        count += people[i].number;
    return count;
}

static void fill_window(struct person *p)
{
    int64_t at = now();
    p->is_due = false;
    while (p->number - p->arrived < (uint32_t)window)
        write_message(p, phase, at);
    flush(p);
}

static void serve_due(void (*serve)(struct person *))
{
    for (int i = 0; i < due_count; i++)
        serve(due[i]);
    due_count = 0;
}

/* Waits for what is on its way, so that the next phase begins with nothing. */
static void end_phase(double seconds, double server, double own)
{
    is_measuring = is_writing = false;
    for (int64_t until = now() + PATIENCE; on_the_way() && now() < until;)
        turn(now() + TICK);
    for (int64_t until = now() + PATIENCE;
         protocol == KQQ && (uint64_t)(taken + refused) < written() && now() < until;)
        turn(now() + TICK);
    printf("{\"seconds\":%.4f,\"rate\":%.1f", seconds, arrived / seconds);
    say_samples();
    printf(",\"cpu\":%.4f,\"busy\":%.4f,\"own\":%.4f,\"written\":%lu,\"taken\":%d,\"refused\":%d,"
           "\"repeated\":%lu,\"missing\":%lu,\"disordered\":%lu,\"lost\":%d}\n",
           arrived ? server / arrived * 1e6 : 0, server / seconds, own / seconds, written(), taken,
           refused, repeated, on_the_way(), missed, lost);
}

void run_window(int size, double warm_up, double seconds)
{
    begin_phase();
    window = size;
    int64_t from = now() + warm_up * 1e9, until = from + seconds * 1e9, began = 0, at;
    double server = 0, own = 0;
    for (int i = 0; i < pairs; i++)
        fill_window(&people[i]);
    while ((at = now()) < until) {
        if (!is_measuring && at >= from) {
            is_measuring = true;
            began = at;
            server = server_cpu();
            own = own_cpu();
        }
        turn(at + TICK);
        serve_due(fill_window);
    }
    end_phase((at - began) / 1e9, server_cpu() - server, own_cpu() - own);
}

/* An open loop: who writes does so when it is due, however late the server is. */
void run_paced(double rate, double warm_up, double seconds)
{
    begin_phase();
    window = 0;
    is_writing = false;
    int64_t start = now(), from = start + warm_up * 1e9, until = from + seconds * 1e9, began = 0, at;
    double server = 0, own = 0;
    uint64_t said = 0;
    while ((at = now()) < until) {
        if (!is_measuring && at >= from) {
            is_measuring = true;
            began = at;
            server = server_cpu();
            own = own_cpu();
        }
        int64_t next;
        while ((next = start + said * 1e9 / rate) <= at) {
            struct person *p = &people[said++ % pairs];
            if (p->number - p->arrived < RING) {
                write_message(p, phase, next);
                flush(p);
            }
        }
        turn(next < at + TICK ? next : at + TICK);
    }
    end_phase((at - began) / 1e9, server_cpu() - server, own_cpu() - own);
}

/* --- for who is away */

static int each, batch, unfinished;

static void store_more(struct person *p)
{
    p->is_due = false;
    if (p->answered < p->asked)
        return;
    if (p->number >= (uint32_t)each) {
        unfinished -= p->number == (uint32_t)each;
        p->number += p->number == (uint32_t)each; /* one that is not written: this one is done */
        return;
    }
    for (int i = 0; i < batch && p->number < (uint32_t)each; i++) {
        write_message(p, phase, now());
        p->asked += protocol == KQQ;
    }
    if (protocol == XMPP) {
        say(p, CONFIRM, sizeof CONFIRM - 1);
        p->asked++;
    }
    flush(p);
}

void run_store(int count, int at_once)
{
    begin_phase();
    window = 0;
    each = count;
    batch = at_once;
    unfinished = pairs;
    int64_t began = now();
    double server = server_cpu(), own = own_cpu();
    for (int i = 0; i < pairs; i++)
        store_more(&people[i]);
    while (unfinished && now() < began + 10 * PATIENCE) {
        turn(now() + TICK);
        serve_due(store_more);
    }
    double seconds = (now() - began) / 1e9;
    is_writing = false;
    printf("{\"seconds\":%.4f,\"rate\":%.1f,\"cpu\":%.4f,\"own\":%.4f,\"stored\":%d,\"refused\":%d,"
           "\"unfinished\":%d,\"lost\":%d}\n",
           seconds, (double)each * pairs / seconds, (server_cpu() - server) / each / pairs * 1e6,
           (own_cpu() - own) / seconds, each * pairs, refused, unfinished, lost);
}

/* Those who were away sign in; the time is from the first connection to the last message. */
void run_replay(int count, int at_once)
{
    uint64_t wanted = (uint64_t)count * pairs;
    int64_t began = now(), last = began;
    double server = server_cpu(), own = own_cpu();
    forget_samples();
    arrived = repeated = missed = 0;
    is_measuring = true;
    hear = hear_messages;
    for (int i = 0; i < pairs; i++)
        people[i].arrived = 0;
    failed = 0;
    for (int next = pairs; next < 2 * pairs || signing_in || (arrived < wanted && now() < last + PATIENCE);) {
        while (next < 2 * pairs && signing_in < at_once)
            connect_person(&people[next++]);
        uint64_t before = arrived;
        turn(now() + TICK);
        if (arrived > before)
            last = now();
    }
    is_measuring = false;
    double seconds = (last - began) / 1e9;
    printf("{\"seconds\":%.4f,\"rate\":%.1f,\"cpu\":%.4f,\"own\":%.4f,\"arrived\":%lu,\"wanted\":%lu,"
           "\"repeated\":%lu,\"disordered\":%lu,\"failed\":%d,\"lost\":%d}\n",
           seconds, arrived / seconds, (server_cpu() - server) / wanted * 1e6,
           (own_cpu() - own) / seconds, arrived, wanted, repeated, missed, failed, lost);
}
