/* Samples of times, and what processors did. */
#include "load.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int pids[64], pid_count;
static int64_t *samples;
static size_t sample_count, sample_room;

void watch_server(char *text)
{
    for (char *one = strtok(text, ","); one && pid_count < 64; one = strtok(NULL, ","))
        pids[pid_count++] = atoi(one);
}

double server_cpu(void)
{
    double ticks = 0;
    for (int i = 0; i < pid_count; i++) {
        char path[40], text[1024], *after;
        unsigned long user, system;
        snprintf(path, sizeof path, "/proc/%d/stat", pids[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
            close(fd);
        text[size > 0 ? size : 0] = 0;
        after = strrchr(text, ')'); /* the name of a program may hold blanks */
        if (after && sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                            &user, &system) == 2)
            ticks += user + system;
    }
    return ticks / sysconf(_SC_CLK_TCK);
}

double own_cpu(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void forget_samples(void)
{
    sample_count = 0;
}

void sample(int64_t nanoseconds)
{
    if (sample_count == sample_room) {
        sample_room = sample_room ? 2 * sample_room : 1 << 16;
        samples = realloc(samples, sample_room * sizeof *samples);
    }
    samples[sample_count++] = nanoseconds;
}

static int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static double at_share(double share)
{
    size_t at = share * sample_count;
    return sample_count ? samples[at < sample_count ? at : sample_count - 1] / 1e6 : 0;
}

void say_samples(void)
{
    qsort(samples, sample_count, sizeof *samples, compare);
    printf(",\"count\":%zu,\"p50\":%.4f,\"p99\":%.4f,\"p999\":%.4f,\"worst\":%.4f", sample_count,
           at_share(0.5), at_share(0.99), at_share(0.999), at_share(1.0));
}
