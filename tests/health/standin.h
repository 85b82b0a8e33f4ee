/*
 * standin.h: what the tests set in the stand-ins for the vendors' management libraries.
 *
 * A stand-in is a shared library that exports a vendor's functions and `standin_state`, which
 * returns the structure that its answers come from.
 */
#ifndef RK_TESTS_HEALTH_STANDIN_H
#define RK_TESTS_HEALTH_STANDIN_H

#include <stdbool.h>
#include <stdint.h>

#define STANDIN_DEVICES 3
#define STANDIN_LINKS 18
#define STANDIN_NO_LINK (-1)
#define STANDIN_SWITCH (-2)

typedef struct standin_device {
    int temperature_c;
    int power_mw;
    uint64_t reasons;
    uint64_t total, used;
    uint64_t corrected, uncorrected;
    int links[STANDIN_LINKS]; /* device at the other end, STANDIN_SWITCH, STANDIN_NO_LINK */
    unsigned link_version;    /* nvmlNvlinkVersion_t */
    unsigned link_mbps;       /* 0: not told */
    unsigned architecture;
    uint64_t link_errors; /* of each link and kind */
    uint64_t xids[128];
    uint32_t xid_count;
} standin_device;

typedef struct standin {
    standin_device device[STANDIN_DEVICES]; /* 0000:17:00.0, 0000:18:00.0, 0000:97:00.0 */
    int init_result;
    int ask_result; /* of everything but init and finding a device */
    int link_type;  /* AMD: *_topo_get_link_type */
    bool peer;
    int users;           /* inits less shutdowns */
    bool waited;         /* an event was waited for */
    bool endless_events; /* there is always one more */
} standin;

typedef standin *(*standin_fn)(void);

#endif
