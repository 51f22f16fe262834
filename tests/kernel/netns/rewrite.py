"""An eBPF program on a device: UDP, or echo replies, from 10.88.60.7 leave with 10.88.60.50 as their
source, and with right checksums. It hangs on tcx, which neither `ip` nor `tc` shows, for as long as this
process runs.

    nsenter -t PID -n python3 rewrite.py DEVICE [datagrams|echo-replies]
"""

import ctypes
import os
import signal
import socket
import struct
import sys

SYSCALL = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
PROG_LOAD, LINK_CREATE = 5, 28
SCHED_CLS, TCX_INGRESS = 3, 46
OLD = int.from_bytes(socket.inet_aton("10.88.60.7"), "little")
NEW = int.from_bytes(socket.inet_aton("10.88.60.50"), "little")
# Where they lie behind Ethernet's header.
PROTOCOL, HEADER_SUM, SOURCE, ICMP_TYPE, DATAGRAM_SUM = 23, 24, 26, 34, 40
UDP, ICMP, ECHO_REPLY = 17, 1, 0
STORE, HEADER_REPLACE, DATAGRAM_REPLACE = 9, 10, 11
PSEUDO_HEADER_AND_ZERO_STAYS = 0x34


def one(code, to=0, of=0, offset=0, value=0):
    return struct.pack("<BBhi", code, of << 4 | to, offset, value)


def signed(value):
    return value - (1 << 32) if value >> 31 else value


def move(to, value):
    return one(0xB7, to, value=value)


def wide(to, value):
    return one(0x18, to, value=signed(value)) + one(0)


def copy(to, of):
    return one(0xBF, to, of)


def call(helper):
    return one(0x85, value=helper)


def program(of_replies):
    host_order = int.from_bytes(socket.inet_aton("10.88.60.7"), "big")
    datagram_checksum = (
        copy(1, 6) + move(2, DATAGRAM_SUM) + wide(3, OLD) + wide(4, NEW)
        + move(5, PSEUDO_HEADER_AND_ZERO_STAYS) + call(DATAGRAM_REPLACE)
    )
    rewrite = (
        copy(1, 6) + move(2, HEADER_SUM) + wide(3, OLD) + wide(4, NEW) + move(5, 4) + call(HEADER_REPLACE)
        # ICMP's checksum knows no addresses.
        + (b"" if of_replies else datagram_checksum)
        + one(0x62, 10, offset=-4, value=signed(NEW))
        + copy(1, 6) + move(2, SOURCE) + copy(3, 10) + one(0x07, 3, value=-4) + move(4, 4) + move(5, 0)
        + call(STORE)
    )
    length = len(rewrite) // 8
    is_reply = one(0x30, value=ICMP_TYPE) + one(0x55, 0, offset=length + 2, value=ECHO_REPLY)
    more = is_reply if of_replies else b""
    return (
        copy(6, 1)
        + one(0x30, value=PROTOCOL)
        + one(0x55, 0, offset=length + 2 + len(more) // 8, value=ICMP if of_replies else UDP)
        + more
        + one(0x20, value=SOURCE) + one(0x55, 0, offset=length, value=signed(host_order))
        + rewrite
        # The next one decides.
        + move(0, -1) + one(0x95)
    )


def bpf(command, attributes):
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    descriptor = libc.syscall(SYSCALL, command, buffer, len(attributes))
    if descriptor < 0:
        number = ctypes.get_errno()
        sys.exit(f"bpf({command}): {os.strerror(number)}")
    return descriptor


def main():
    instructions = program(sys.argv[2:] == ["echo-replies"])
    code = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(b"GPL")
    load = struct.pack(
        "<IIQQ", SCHED_CLS, len(instructions) // 8, ctypes.addressof(code), ctypes.addressof(licence)
    )
    loaded = bpf(PROG_LOAD, load.ljust(72, b"\0"))
    device = socket.if_nametoindex(sys.argv[1])
    bpf(LINK_CREATE, struct.pack("<IIII", loaded, device, TCX_INGRESS, 0).ljust(48, b"\0"))
    print("hangs", flush=True)
    signal.pause()


main()
