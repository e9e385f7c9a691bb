/* A provider that costs next to nothing: it answers chat completions as fast as they come.
 *
 *   provider PORT PAUSE_US EVENTS
 *
 * A request whose body says "stream":true gets EVENTS events, PAUSE_US microseconds apart, then the
 * usage and [DONE]; any other gets one JSON object of about 300 tokens at once. One thread.
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

enum { CONNECTIONS = 4096, REQUEST_BYTES = 1 << 17, MOST_EVENTS = 1000 };

struct text { char *bytes; size_t length; };

/* One caller: what has come of its request, and which event it gets next (-1: none). */
struct caller { char *request; size_t length; int next_event; long long due_us; };

static struct caller callers[CONNECTIONS];
static int streaming[CONNECTIONS], streams;
static struct text whole, stream_parts[MOST_EVENTS + 3];
static int parts;
static long long pause_us;

static long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static struct text chunked(const char *payload) {
    struct text chunk;
    chunk.length = (size_t)asprintf(&chunk.bytes, "%zx\r\n%s\r\n", strlen(payload), payload);
    return chunk;
}

static void prepare(int events) {
    const char *usage =
        "{\"prompt_tokens\":212,\"completion_tokens\":300,\"total_tokens\":512,"
        "\"prompt_tokens_details\":{\"cached_tokens\":64},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":0}}";
    char words[2048] = "", event[1024], *body;
    for (int word = 0; word < 250; word++) strcat(words, word % 9 ? "token " : "ledger. ");
    int length = asprintf(&body,
        "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1760000000,"
        "\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
        "\"content\":\"%s\"},\"finish_reason\":\"stop\"}],\"usage\":%s,"
        "\"service_tier\":\"default\"}", words, usage);
    whole.length = (size_t)asprintf(&whole.bytes,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        "x-request-id: req_bench\r\n\r\n%s", length, body);
    stream_parts[parts].length = (size_t)asprintf(&stream_parts[parts].bytes,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        "x-request-id: req_bench\r\n\r\n");
    parts++;
    for (int number = 0; number < events; number++) {
        snprintf(event, sizeof event,
            "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\","
            "\"created\":1760000000,\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,"
            "\"delta\":{\"content\":\"some words %d \"},\"finish_reason\":%s}],\"usage\":null}\n\n",
            number, number + 1 == events ? "\"stop\"" : "null");
        stream_parts[parts++] = chunked(event);
    }
    snprintf(event, sizeof event,
        "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\","
        "\"created\":1760000000,\"model\":\"gpt-4o-mini\",\"choices\":[],\"usage\":%s}\n\n", usage);
    stream_parts[parts++] = chunked(event);
    stream_parts[parts].length = (size_t)asprintf(
        &stream_parts[parts].bytes, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
    parts++;
}

static int send_all(int socket, struct text text) {
    while (text.length) {
        ssize_t sent = send(socket, text.bytes, text.length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) { usleep(50); continue; }
        if (sent < 0) return -1;
        text.bytes += sent;
        text.length -= (size_t)sent;
    }
    return 0;
}

static void forget(int socket) {
    for (int place = 0; place < streams; place++)
        if (streaming[place] == socket) { streaming[place] = streaming[--streams]; break; }
    callers[socket].length = 0;
    callers[socket].next_event = -1;
    close(socket);
}

/* Answers the request that is whole, if one is. Returns whether the caller is still there. */
static int answer(int socket) {
    struct caller *caller = &callers[socket];
    char *end = memmem(caller->request, caller->length, "\r\n\r\n", 4);
    if (!end) return 1;
    *end = 0;
    char *stated = strcasestr(caller->request, "content-length:");
    *end = '\r';
    size_t total = (size_t)(end + 4 - caller->request) + (stated ? strtoul(stated + 15, 0, 10) : 0);
    if (caller->length < total) return 1;
    int stream = memmem(end, total - (size_t)(end - caller->request), "\"stream\":true", 13) != 0;
    memmove(caller->request, caller->request + total, caller->length - total);
    caller->length -= total;
    if (!stream) return send_all(socket, whole) == 0 || (forget(socket), 0);
    caller->next_event = 0;
    caller->due_us = now_us();
    streaming[streams++] = socket;
    return 1;
}

static void read_from(int socket) {
    struct caller *caller = &callers[socket];
    ssize_t got = recv(socket, caller->request + caller->length, REQUEST_BYTES - caller->length, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) { forget(socket); return; }
    caller->length += (size_t)got;
    if (caller->next_event < 0) answer(socket);
}

/* Sends every event that is due; returns the microseconds until the next one, -1 when none waits. */
static long long send_due(void) {
    long long now = now_us(), soonest = -1;
    for (int place = 0; place < streams;) {
        int socket = streaming[place];
        struct caller *caller = &callers[socket];
        while (caller->due_us <= now && caller->next_event >= 0) {
            if (send_all(socket, stream_parts[caller->next_event])) { forget(socket); break; }
            caller->due_us += pause_us;
            if (++caller->next_event == parts) {
                caller->next_event = -1;
                streaming[place] = streaming[--streams];
            }
        }
        if (place < streams && streaming[place] == socket) {
            long long wait = caller->due_us > now ? caller->due_us - now : 0;
            if (soonest < 0 || wait < soonest) soonest = wait;
            place++;
        }
    }
    return soonest;
}

int main(int count, char **words) {
    if (count != 4 || atoi(words[3]) > MOST_EVENTS) return 2;
    pause_us = atoll(words[2]);
    prepare(atoi(words[3]));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1, poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
        perror("provider");
        return 1;
    }
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &wanted);
    for (;;) {
        long long wait = send_due();
        struct timespec limit = {wait / 1000000, wait % 1000000 * 1000};
        int events = epoll_pwait2(poll, ready, 256, wait < 0 ? 0 : &limit, 0);
        for (int event = 0; event < events; event++) {
            int socket = ready[event].data.fd;
            if (socket != listener) { read_from(socket); continue; }
            int caller = accept4(listener, 0, 0, SOCK_NONBLOCK);
            if (caller < 0 || caller >= CONNECTIONS) { if (caller >= 0) close(caller); continue; }
            setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            if (!callers[caller].request) callers[caller].request = malloc(REQUEST_BYTES + 1);
            callers[caller].length = 0;
            callers[caller].next_event = -1;
            wanted = (struct epoll_event){.events = EPOLLIN, .data.fd = caller};
            epoll_ctl(poll, EPOLL_CTL_ADD, caller, &wanted);
        }
    }
}
