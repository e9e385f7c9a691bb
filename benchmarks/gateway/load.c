/* Callers that ask again as soon as they are answered, and how long each answer took.
 *
 *   load PORT CALLERS MILLISECONDS REQUEST_FILE
 *
 * Prints one line of JSON. Times are microseconds from sending a request to the first byte of the
 * answer's body and to its last byte. After the time is over the calls in flight are finished, so
 * that the number of answers is exactly the number of requests. A connection that is closed in the
 * middle is a failed answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CALLERS = 1024, HEAD_BYTES = 16384, MOST_ANSWERS = 4000000 };

struct caller {
    int socket, waiting, ok;
    double asked_us, first_us;
    char head[HEAD_BYTES + 1];
    size_t head_length;
    long long left; /* bytes of the body still to come; -1: chunked; -2: the head is not whole */
    char tail[5];
};

static struct caller callers[CALLERS];
static float *whole_us, *first_us;
static size_t answers, failures;
static char *request;
static size_t request_length;
static struct sockaddr_in address;
static int poll;

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void fail(const char *why) {
    fprintf(stderr, "load: %s\n", why);
    exit(1);
}

static void connect_again(struct caller *caller) {
    int yes = 1;
    if (caller->socket) close(caller->socket);
    caller->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(caller->socket, (struct sockaddr *)&address, sizeof address)) fail("no connection");
    setsockopt(caller->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = (uint32_t)(caller - callers)};
    epoll_ctl(poll, EPOLL_CTL_ADD, caller->socket, &wanted);
}

static void ask(struct caller *caller) {
    size_t sent = 0;
    caller->head_length = 0;
    caller->left = -2;
    caller->first_us = 0;
    caller->waiting = 1;
    caller->asked_us = now_us();
    while (sent < request_length) {
        ssize_t more = send(caller->socket, request + sent, request_length - sent, MSG_NOSIGNAL);
        if (more > 0) sent += (size_t)more;
        if (more < 0 && errno != EAGAIN) { connect_again(caller); sent = 0; }
    }
}

static void take_body(struct caller *caller, const char *bytes, size_t length) {
    if (!length) return;
    if (!caller->first_us) caller->first_us = now_us();
    if (caller->left >= 0) { caller->left -= (long long)length; return; }
    size_t kept = length < 5 ? 5 - length : 0;
    memmove(caller->tail, caller->tail + 5 - kept, kept);
    memcpy(caller->tail + kept, bytes + length - (5 - kept), 5 - kept);
}

static void take(struct caller *caller, const char *bytes, size_t length) {
    if (caller->left != -2) { take_body(caller, bytes, length); return; }
    if (caller->head_length + length > HEAD_BYTES) {
        /* The rest of a large body may follow the head in the same piece. */
        size_t room = HEAD_BYTES - caller->head_length;
        take(caller, bytes, room);
        take(caller, bytes + room, length - room);
        return;
    }
    memcpy(caller->head + caller->head_length, bytes, length);
    caller->head_length += length;
    caller->head[caller->head_length] = 0;
    char *end = strstr(caller->head, "\r\n\r\n");
    if (!end) { if (caller->head_length == HEAD_BYTES) fail("a head is too large"); return; }
    *end = 0;
    char *stated = strcasestr(caller->head, "content-length:");
    caller->ok = strncmp(caller->head, "HTTP/1.1 200", 12) == 0;
    caller->left = stated ? atoll(stated + 15) : -1;
    memset(caller->tail, 0, 5);
    size_t body = caller->head_length - (size_t)(end + 4 - caller->head);
    take_body(caller, end + 4, body);
}

static int is_over(const struct caller *caller) {
    return caller->left == 0 || (caller->left == -1 && !memcmp(caller->tail, "0\r\n\r\n", 5));
}

static int by_value(const void *one, const void *other) {
    float a = *(const float *)one, b = *(const float *)other;
    return (a > b) - (a < b);
}

static float share(const float *sorted, double part) {
    return answers ? sorted[(size_t)((double)(answers - 1) * part)] : 0;
}

static void read_request(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("no request file");
    request = malloc(1 << 20);
    request_length = fread(request, 1, 1 << 20, file);
    fclose(file);
}

int main(int count, char **words) {
    if (count != 5 || atoi(words[2]) > CALLERS) return 2;
    int asking = atoi(words[2]), in_flight = 0;
    poll = epoll_create1(0);
    read_request(words[4]);
    whole_us = malloc(MOST_ANSWERS * sizeof *whole_us);
    first_us = malloc(MOST_ANSWERS * sizeof *first_us);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(words[1]));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    for (int number = 0; number < asking; number++) connect_again(&callers[number]);
    double begun = now_us(), end = begun + atof(words[3]) * 1e3, last = begun;
    for (int number = 0; number < asking; number++, in_flight++) ask(&callers[number]);
    static char bytes[1 << 16];
    while (in_flight) {
        struct epoll_event ready[256];
        int events = epoll_wait(poll, ready, 256, 30000);
        if (events <= 0) fail("no answer for 30 s");
        for (int event = 0; event < events; event++) {
            struct caller *caller = &callers[ready[event].data.u32];
            ssize_t got = recv(caller->socket, bytes, sizeof bytes, MSG_DONTWAIT);
            if (got < 0 && errno == EAGAIN) continue;
            int closed = got <= 0;
            if (closed) connect_again(caller);
            else take(caller, bytes, (size_t)got);
            if (!caller->waiting || (!closed && !is_over(caller))) continue;
            caller->waiting = 0;
            last = now_us();
            failures += (size_t)(closed || !caller->ok);
            whole_us[answers] = (float)(last - caller->asked_us);
            first_us[answers++] = (float)(caller->first_us - caller->asked_us);
            in_flight--;
            if (last < end && answers < MOST_ANSWERS) { ask(caller); in_flight++; }
        }
    }
    qsort(whole_us, answers, sizeof *whole_us, by_value);
    qsort(first_us, answers, sizeof *first_us, by_value);
    printf("{\"answers\": %zu, \"failures\": %zu, \"per_second\": %.1f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"first_p50_us\": %.1f, \"first_p99_us\": %.1f}\n",
           answers, failures, (double)answers / (last - begun) * 1e6, share(whole_us, 0.5),
           share(whole_us, 0.99), share(first_us, 0.5), share(first_us, 0.99));
    return 0;
}
