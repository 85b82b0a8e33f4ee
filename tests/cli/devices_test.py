#!/usr/bin/env python3
"""rk devices and rk topology: on this machine, on a made-up one, and with the test drivers."""
import json
import os

import rk

GPU = "32.0 GT/s PCIe"


class Machine(rk.Case):
    """A made-up /sys in self.root."""

    def setUp(self):
        super().setUp()
        self.root = self.path("sys")
        self.env["LC_ALL"] = "C.UTF-8"
        os.mkdir(self.root)

    def put(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")

    def pci(self, where, vendor, device, kind, node, speed=GPU, width=16):
        folder = f"devices/{where}"
        for name, text in (("vendor", vendor), ("device", device), ("class", kind),
                           ("numa_node", node), ("current_link_speed", "2.5 GT/s PCIe"),
                           ("current_link_width", width), ("max_link_speed", speed),
                           ("max_link_width", width)):
            self.put(f"{folder}/{name}", text)
        os.makedirs(f"{self.root}/bus/pci/devices", exist_ok=True)
        os.symlink(f"../../../{folder}", f"{self.root}/bus/pci/devices/{where.split('/')[-1]}")

    def node(self, number, cpus, distances):
        folder = f"devices/system/node/node{number}"
        self.put(f"{folder}/cpulist", cpus)
        self.put(f"{folder}/distance", distances)
        self.put(f"{folder}/meminfo",
                 f"Node {number} MemTotal: 1048576 kB\nNode {number} MemFree: 524288 kB")

    def server(self):
        self.put("devices/system/node/online", "0-1")
        self.node(0, "0-3", "10 21")
        self.node(1, "4-7", "21 10")
        self.pci("pci0000:15/0000:15:01.0/0000:16:00.0/0000:17:00.0", "0x10de", "0x2335",
                 "0x030200", 0)
        self.pci("pci0000:15/0000:15:01.0/0000:16:01.0/0000:18:00.0", "0x10de", "0x2335",
                 "0x030200", 0)
        self.pci("pci0000:95/0000:95:01.0/0000:97:00.0", "0x1002", "0x74a1", "0x120000", 1,
                 "16.0 GT/s PCIe", 8)

    def topology(self, *words):
        return self.rk("topology", "--sysfs", self.root, "--driver", "cpu", *words)[0]


class Topology(Machine):
    def test_a_server_is_drawn(self):
        self.server()
        lines = self.topology().splitlines()
        self.assertEqual(lines[:13], [
            "NUMA node 0: 4 CPUs (0-3), 1 GiB, 512 MiB free",
            "└─ pci0000:15 > 0000:15:01.0",
            "   ├─ 0000:16:00.0",
            "   │  └─ 0000:17:00.0  NVIDIA 3D controller (10de:2335), PCIe 5.0 x16, no driver here",
            "   └─ 0000:16:01.0",
            "      └─ 0000:18:00.0  NVIDIA 3D controller (10de:2335), PCIe 5.0 x16, no driver here",
            "NUMA node 1: 4 CPUs (4-7), 1 GiB, 512 MiB free",
            "└─ pci0000:95 > 0000:95:01.0",
            "   └─ 0000:97:00.0  AMD processing accelerator (1002:74a1), PCIe 4.0 x8, no driver here",
            "On all nodes, or not told on which",
            lines[10],
            "",
            "Distances of NUMA nodes (10: itself)",
        ])
        self.assertTrue(lines[10].startswith("└─ cpu:0  "))
        text = "\n".join(lines)
        self.assertRegex(text, r"(?m)^0000:17:00.0  PCIe 5.0 x16  -  +PCIe 5.0 x16  PCIe 4.0 x8$")
        self.assertIn("PCIe 5.0 x16: 63.0 GB/s in each direction", text)
        self.assertIn("PCIe 4.0 x8: 15.8 GB/s in each direction", text)
        self.assertEqual([line for line in lines if line != line.rstrip()], [])

    def test_without_utf8_the_lines_are_plain(self):
        self.server()
        self.env["LC_ALL"] = "C"
        out = self.topology()
        self.assertIn("\n   |  `- 0000:17:00.0  NVIDIA", out)
        self.assertTrue(out.isascii())

    def test_json_has_everything_once(self):
        self.server()
        told = json.loads(self.topology("--json"))
        names = [device["name"] for device in told["devices"]]
        self.assertEqual(names, ["cpu:0", "0000:17:00.0", "0000:18:00.0", "0000:97:00.0"])
        pairs = {(link["a"], link["b"]) for link in told["links"]}
        self.assertEqual(len(pairs), len(told["links"]))
        self.assertEqual(len(pairs), 10)  # each unordered pair, and each with itself
        for a, b in pairs:
            self.assertTrue(a == b or (b, a) not in pairs)
        link = next(link for link in told["links"]
                    if (link["a"], link["b"]) == ("0000:17:00.0", "0000:18:00.0"))
        self.assertEqual((link["kind"], link["version"], link["lanes"], link["bridge"]),
                         ("pcie", 5, 16, "0000:15:01.0"))
        gpu = told["devices"][1]
        self.assertEqual((gpu["vendor"], gpu["bus_id"], gpu["numa_node"], gpu["pcie_generation"]),
                         ("nvidia", "0000:17:00.0", 0, 1))
        self.assertEqual(gpu["bridges"], ["pci0000:15", "0000:15:01.0", "0000:16:00.0"])
        self.assertIsNone(gpu["driver"])
        self.assertEqual([node["distances"] for node in told["numa_nodes"]], [[10, 21], [21, 10]])
        self.assertEqual(told["drivers"][0]["status"], "RK_OK")

    def test_a_machine_without_a_bus_or_nodes(self):
        out = self.topology()
        self.assertRegex(out, r"^NUMA node 0: ")
        self.assertNotIn("Links", out)

    def test_nonsense_in_the_tree_does_no_harm(self):
        self.put("devices/system/node/online", "0-99999999999")
        self.put("bus/pci/devices/0000:01:00.0/class", "0x030000")
        self.put("bus/pci/devices/0000:01:00.0/vendor", "\x1b[31m%n%s")
        self.put("bus/pci/devices/0000:02:00.0/class", "0x030000")
        self.put("bus/pci/devices/0000:02:00.0/vendor", "0x10de")
        self.put("bus/pci/devices/0000:02:00.0/numa_node", "77")
        out = self.topology()
        self.assertIn("NUMA node 77, which the machine does not list\n", out)
        self.assertIn("0000:02:00.0  NVIDIA display controller (10de:0000)", out)
        self.assertNotIn("0000:01:00.0", out)

    def test_this_machine(self):
        out, _ = self.rk("topology")
        self.assertIn("cpu:0", out)
        self.assertEqual(self.rk_json("topology")["devices"][0]["name"], "cpu:0")


class Devices(rk.Case):
    def test_every_field_of_a_processor(self):
        device = self.rk_json("devices", "--driver", "cpu")["devices"][0]
        self.assertEqual((device["name"], device["driver"], device["vendor"]),
                         ("cpu:0", "cpu", "cpu"))
        for name in ("units", "max_blocks", "memory_bytes"):
            self.assertGreater(device[name], 0)
        for name in ("text", "arch", "compute_capability", "memory_bandwidth_bytes_per_s",
                     "bus_id", "numa_node"):
            self.assertIn(name, device)
        self.assertGreater(device["telemetry"]["memory_free_bytes"], 0)
        out, _ = self.rk("devices", "--driver", "cpu")
        self.assertRegex(out, r"(?m)^cpu:0 +\S")
        self.assertRegex(out, r"(?m)^  memory +\S+ [KMGT]iB, \S+ [KMGT]iB free$")

    def test_absent_drivers_have_a_reason(self):
        told = self.rk_json("devices")
        out, _ = self.rk("devices")
        self.assertEqual([driver["name"] for driver in told["drivers"]],
                         ["cpu", "cuda", "hip", "opencl"])
        for driver in told["drivers"]:
            if driver["status"] == "RK_OK":
                self.assertGreater(driver["devices"], 0)
            else:
                self.assertGreater(len(driver["text"]), 10)
                self.assertRegex(out, rf"(?m)^  {driver['name']} +\S.{{9,}}$")

    def test_a_driver_that_is_asked_for_must_be_there(self):
        self.refuses(1, "no device of 'nothing'", "devices", "--driver", "nothing")
        self.refuses(1, "no device of 'nothing'", "topology", "--driver", "nothing")
        self.refuses(2, "no name of a driver", "devices", "--driver", "no name")
        self.assertIn("nothing", self.rk("devices", "--driver", "cpu,nothing")[0])

    def test_test_drivers_are_shown_only_when_named(self):
        self.assertNotIn("-test", self.rk("devices")[0] + self.rk("topology")[0])

    def test_measuring(self):
        told = self.rk_json("devices", "--driver", "cpu", "--measure")["measured"]
        self.assertEqual([one["name"] for one in told], ["cpu:0"])
        for name, value in told[0].items():
            self.assertTrue(name == "name" or value > 0, name)
        self.assertGreaterEqual(told[0]["answer_p99_ns"], told[0]["answer_ns"])


class TestDriver(rk.Case):
    """The code of the CUDA and HIP drivers on the test driver, with trouble injected."""

    def setUp(self):
        super().setUp()
        if not os.path.exists(os.path.join(rk.BUILD, "lib/ringkernel/drivers/rk-test-gpu.so")):
            print("skip: the test driver is not built")
            self.skipTest("the test driver is not built")

    def told(self, command, driver, settings):
        self.env["RK_TEST_GPU"] = settings
        return self.rk_json(command, "--driver", driver)

    def links(self, driver, settings):
        told = self.told("topology", driver, settings)
        link = next(link for link in told["links"] if link["a"] != link["b"])
        return link["kind"], link["version"], link["lanes"], link["bandwidth_bytes_per_s"]

    def test_health_of_nvidia(self):
        device = self.told("devices", "cuda-test", "heat=93,ecc=3,xid=79")["devices"][0]
        self.assertEqual((device["vendor"], device["compute_capability"], device["bus_id"]),
                         ("nvidia", {"major": 9, "minor": 0}, "0000:10:00.0"))
        health = device["telemetry"]
        self.assertEqual((health["temperature_c"], health["ecc_uncorrected"], health["last_xid"],
                          health["xid_count"]), (93, 3, 79, 1))
        self.assertEqual(health["throttle_reasons"], 2)  # heat
        for name in ("power_mw", "clock_mhz", "memory_free_bytes", "pcie_replays"):
            self.assertIn(name, health)
        out, _ = self.rk("devices", "--driver", "cuda-test")
        self.assertRegex(out, r"(?m)^  health +93 C, .* W of .* MHz.*, slowed by heat$")
        self.assertRegex(out, r"(?m)^  errors +ECC 0 corrected, 3 not, events 1 \(the last Xid 79\)")

    def test_health_of_amd(self):
        device = self.told("devices", "hip-test", "heat=71,ecc=2")["devices"][0]
        self.assertEqual((device["vendor"], device["arch"], device["compute_capability"]),
                         ("amd", "gfx90a", None))
        self.assertEqual((device["telemetry"]["temperature_c"],
                          device["telemetry"]["ecc_uncorrected"]), (71, 2))

    def test_links(self):
        self.assertEqual(self.links("cuda-test", "devices=2,link=pcie")[:3], ("pcie", 5, 16))
        kind, version, lanes, rate = self.links("cuda-test", "devices=2,link=nvlink")
        self.assertEqual((kind, version), ("nvlink", 4))
        self.assertGreater(lanes, 0)
        self.assertGreater(rate, 0)
        self.assertEqual(self.links("cuda-test", "devices=2,link=nvswitch")[:2], ("nvswitch", 4))
        self.assertEqual(self.links("hip-test", "devices=2,link=xgmi")[0], "xgmi")

    def test_a_drawing_of_four(self):
        self.env["RK_TEST_GPU"] = "devices=4,link=nvswitch"
        out, _ = self.rk("topology", "--driver", "cuda-test,cpu")
        self.assertRegex(out, r"(?m)^cuda-test:0   -  +NVSwitch 4 x18\*")
        self.assertRegex(out, r"(?m)^NVSwitch 4 x18: .* in each direction, as announced$")
        self.assertIn("cpu:0", out)

    def test_measured_beside_announced(self):
        self.env["RK_TEST_GPU"] = "memory=64MiB"
        out, _ = self.rk("devices", "--driver", "cuda-test", "--measure")
        self.assertRegex(out, r"(?m)^  memory .* announced$")
        self.assertRegex(out, r"(?m)^  measured +copies \S+ \S+ \(\d+ % of what is announced\)")

    def test_a_driver_that_refuses(self):
        self.env["RK_TEST_GPU"] = "permission"
        self.refuses(1, "no device of 'cuda-test'", "devices", "--driver", "cuda-test")


if __name__ == "__main__":
    rk.main()
