/*
 * options.h: the devices that the test driver presents, from the text of RK_TEST_GPU.
 */
#ifndef RK_DRIVERS_TEST_OPTIONS_H
#define RK_DRIVERS_TEST_OPTIONS_H

#include <ringkernel/status.h>

#define RK_SIM_DEVICE_MAX 16u
#define RK_SIM_MISSING_MAX 16u
#define RK_SIM_TEXT_BYTES 96u
#define RK_SIM_PATH_BYTES 256u

typedef enum rk_sim_drain {
    RK_SIM_DRAIN_OFF,  /* no call waits for a resident kernel */
    RK_SIM_DRAIN_FAIL, /* calls that might on real hardware fail loudly */
    RK_SIM_DRAIN_WAIT, /* they do wait */
} rk_sim_drain;

typedef enum rk_sim_link {
    RK_SIM_LINK_NONE, /* no peer access */
    RK_SIM_LINK_PCIE,
    RK_SIM_LINK_NVLINK,
    RK_SIM_LINK_NVSWITCH,
    RK_SIM_LINK_XGMI,
} rk_sim_link;

/* Numbers that are 0 by default mean "never" or "not set" unless their comment says otherwise. */
typedef struct rk_sim_options {
    uint64_t devices;        /* 1 */
    uint64_t arch;           /* CUDA: 10 * compute capability: 90 */
    uint64_t gfx;            /* HIP: the gfx number, written in hexadecimal: 0x90a */
    uint64_t units;          /* multiprocessors: 2 */
    uint64_t blocks;         /* that fit on one multiprocessor: 4 */
    uint64_t memory_bytes;   /* per device: 1 GiB */
    uint64_t queues;         /* hardware queues that streams share; 0: one each (HIP: 4) */
    uint64_t version;        /* that cuDriverGetVersion answers: 12040 */
    uint64_t hip_version;    /* that hipRuntimeGetVersion answers: 60342131 */
    uint64_t copy_delay_ns;  /* before each copy */
    uint64_t copy_bandwidth; /* bytes per second; 0: as fast as memory */
    uint64_t link_bandwidth; /* bytes per second and direction, of each pair: 50e9 */
    uint64_t oom_after;      /* allocations that succeed before all others fail, plus one */
    uint64_t lose_after;     /* copies after which the device of the next one is lost, plus one */
    uint64_t xid;            /* reported at the start */
    uint64_t heat;           /* temperature, degrees Celsius: 41 */
    uint64_t ecc;            /* uncorrected errors */
    rk_sim_link link;        /* between every pair: pcie */
    rk_sim_drain drain;      /* off */
    uint64_t permission;     /* 1: initialisation fails for lack of permission */
    uint64_t nodevice;       /* 1: initialisation finds no device */
    uint64_t nocoop;         /* 1: no cooperative launch */
    uint64_t zluda;          /* 1: as ZLUDA: announces cooperative launch, and refuses it */
    uint64_t watchdog;       /* 1: kernels have a time limit */
    uint64_t nogreen;        /* 1: no green contexts (shares of the multiprocessors) */
    char control[RK_SIM_PATH_BYTES]; /* a file whose lines are faults to inject */
    char name[RK_SIM_TEXT_BYTES];    /* of the devices; "" for the usual one */
    char missing[RK_SIM_MISSING_MAX][RK_SIM_TEXT_BYTES]; /* functions that are not there */
    uint32_t missing_count;
} rk_sim_options;

/* What an empty text means. */
void rk_sim_options_default(rk_sim_options *out_options);

/*
 * Parses "devices=2,drain,missing=cuFuncLoad,...". NULL is the empty text. RK_INVALID names the
 * item, and lists what may stand there.
 */
rk_status rk_sim_options_parse(const char *text, rk_sim_options *out_options, rk_err *err);

#endif
