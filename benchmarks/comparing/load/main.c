/* load PROTOCOL PORT PIDS PEOPLE: takes commands on standard input, and answers each with JSON.
 *
 *   in FIRST END AT_ONCE LIMIT          sign people in, so many at once, within LIMIT seconds
 *   out FIRST END                       cut their connections
 *   pairs COUNT                         the first COUNT people write to the next COUNT
 *   window SIZE WARM_UP SECONDS         each with so many messages on their way
 *   paced RATE WARM_UP SECONDS          all together so many a second, whatever the server does
 *   store EACH BATCH                    for who is away, in batches that are confirmed
 *   replay EACH AT_ONCE                 who was away signs in, and must hear so many each
 *   alive FIRST END SECONDS             signs of life, evenly spread
 *   polls FIRST END WARM_UP SECONDS     over HTTP
 *   bystander INDEX                     says something all the time; -1 for none
 *   rest SECONDS                        only the bystander speaks
 *   fan WHO FIRST COUNT REPEATS PAUSE   a status is told to COUNT friends, from FIRST on
 *   pages WHO COMMAND                   all pages of a list; %ld in the command is where to start
 */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum protocol protocol;
struct person *people;
int crowd;

static void read_people(const char *path)
{
    FILE *file = fopen(path, "r");
    int room = 0, uin;
    char secret[36];
    if (!file)
        fail(path);
    while (fscanf(file, "%d %35s", &uin, secret) == 2) {
        if (crowd == room) {
            room = room ? 2 * room : 256;
            people = realloc(people, room * sizeof *people);
            memset(people + crowd, 0, (room - crowd) * sizeof *people);
        }
        struct person *p = &people[crowd];
        p->index = crowd++;
        p->uin = uin;
        p->fd = -1;
        strcpy(p->secret, secret);
    }
    fclose(file);
}

static int within(int index)
{
    return index < 0 ? 0 : index > crowd ? crowd : index;
}

static bool obey(const char *line)
{
    double a = 0, b = 0, c = 0, d = 0, e = 0;
    char name[16] = "", rest[128] = "";
    sscanf(line, "%15s %lf %lf %lf %lf %lf", name, &a, &b, &c, &d, &e);
    if (!strcmp(name, "in"))
        run_sign_ins(within(a), within(b), c, d);
    else if (!strcmp(name, "out"))
        run_sign_outs(within(a), within(b));
    else if (!strcmp(name, "pairs"))
        choose_pairs(a);
    else if (!strcmp(name, "window"))
        run_window(a, b, c);
    else if (!strcmp(name, "paced"))
        run_paced(a, b, c);
    else if (!strcmp(name, "store"))
        run_store(a, b);
    else if (!strcmp(name, "replay"))
        run_replay(a, b);
    else if (!strcmp(name, "alive"))
        run_keep_alives(within(a), within(b), c);
    else if (!strcmp(name, "polls"))
        run_polls(within(a), within(b), c, d);
    else if (!strcmp(name, "bystander"))
        choose_bystander(a);
    else if (!strcmp(name, "rest"))
        run_rest(a);
    else if (!strcmp(name, "fan"))
        run_fan_out(a, b, c, d, e);
    else if (sscanf(line, "pages %*d %127s", rest) == 1)
        run_pages(a, rest);
    else
        return false;
    fflush(stdout);
    return true;
}

int main(int count, char **words)
{
    static const char *names[] = {"kqq", "http", "xmpp", "irc", "mqtt"};
    char line[256];
    if (count != 5) {
        fprintf(stderr, "usage: load PROTOCOL PORT PIDS PEOPLE\n");
        return 2;
    }
    for (protocol = KQQ; protocol <= MQTT && strcmp(names[protocol], words[1]);)
        protocol++;
    if (protocol > MQTT) {
        fprintf(stderr, "load: there is no protocol %s\n", words[1]);
        return 2;
    }
    prepare_net(atoi(words[2]));
    watch_server(words[3]);
    read_people(words[4]);
    while (fgets(line, sizeof line, stdin))
        if (!obey(line)) {
            fprintf(stderr, "load: there is no command %s", line);
            return 2;
        }
    return 0;
}
