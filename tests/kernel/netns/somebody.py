"""What somebody plants by hand in a kernel lab, from the host, as root: nothing of it is a fault of the
registry. Says `planted` once it holds, and holds it until its standard input ends.

    python3 somebody.py PLANT ROUTERD-CLOUD CLOUD-CLIENT ONPREM-ROUTER ONPREM-CLIENT

Each node is the number of one of its processes.
"""

import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading

CLOUD_ROUTER, CLOUD, ROUTER, ONPREM = sys.argv[2:6]
CLIENT, CAPTURED = "10.88.60.7", "10.88.60.9"
# Nobody's: what a pair of translations makes of the client's address between the two.
BETWEEN = "10.88.60.70"
# The overlay's.
MTU = 1420
NEWNET, TRANSPARENT, PARENT_DEATH = 0x40000000, 19, 1
LIBC = ctypes.CDLL(None, use_errno=True)


def at(node, command, *more):
    subprocess.run(["nsenter", "-n", "-t", str(node), *more, "sh", "-ec", command], check=True)


def dies_with_parent():
    LIBC.prctl(PARENT_DEATH, signal.SIGKILL)


def child_at(node, work):
    """A process in the network namespace of another, for as long as this one lives."""
    child = os.fork()
    if child == 0:
        dies_with_parent()
        with open(f"/proc/{node}/ns/net") as namespace:
            if LIBC.setns(namespace.fileno(), NEWNET):
                sys.exit(os.strerror(ctypes.get_errno()))
        work()
        os._exit(0)


def machine(*cables):
    """A network namespace that hangs on these nodes: (node, its device there, address there, device
    here, address here)."""
    script = "ip link set lo up; echo; exec cat"
    held = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        preexec_fn=dies_with_parent,
    )
    held.stdout.readline()
    MACHINES.append(held)
    for node, there, address_there, here, address_here in cables:
        # Whoever sends too much learns it before anything is done to his packets.
        at(node, f"""ip link add {there} mtu {MTU} type veth peer name {here} mtu {MTU} netns {held.pid}
            ip addr add {address_there}/32 dev {there}
            ip link set {there} up
            ip route add {address_here}/32 dev {there}""")
        at(held.pid, f"""ip addr add {address_here}/32 dev {here}
            ip link set {here} up
            ip route add {address_there}/32 dev {here}""")
    at(held.pid, "echo 1 > /proc/sys/net/ipv4/ip_forward")
    return held.pid


MACHINES = []


def relay(one, other):
    """Until both directions have ended."""
    ends = {one: other, other: one}
    while ends:
        for ready in select.select(list(ends), [], [])[0]:
            try:
                said = ready.recv(65536)
                if said:
                    ends[ready].sendall(said)
                    continue
                ends[ready].shutdown(socket.SHUT_WR)
            except OSError:
                return
            del ends[ready]


def transparent_proxy(port):
    """Takes what the kernel leads to this port, and opens it again in its client's name."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_IP, TRANSPARENT, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(64)
    READY.append(listener)

    def serve(near, client):
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        far.setsockopt(socket.SOL_IP, TRANSPARENT, 1)
        far.bind(client)
        try:
            far.connect(near.getsockname())
            relay(near, far)
        except OSError:
            pass
        near.close()
        far.close()

    while True:
        near, client = listener.accept()
        threading.Thread(target=serve, args=(near, client), daemon=True).start()


READY = []


def until_listened(node, port):
    at(node, f"for i in $(seq 100); do ss -Hltn sport = :{port} | grep -q . && exit 0; sleep 0.02; done; exit 1")


def tproxy_by_legacy_iptables():
    child_at(CLOUD_ROUTER, lambda: transparent_proxy(7000))
    until_listened(CLOUD_ROUTER, 7000)
    at(CLOUD_ROUTER, f"""
        ip rule add fwmark 7 lookup 107
        ip route add local default dev lo table 107
        iptables-legacy -t mangle -A PREROUTING -i wg-hybrid -p tcp --sport 22 -s {CAPTURED} -d {CLIENT} -j MARK --set-mark 7
        iptables-legacy -t mangle -A PREROUTING -i ens5 -p tcp --dport 22 -s {CLIENT} -d {CAPTURED} -j TPROXY --on-port 7000 --on-ip 127.0.0.1 --tproxy-mark 7
    """)


def proxy_in_a_namespace():
    there = machine(
        (CLOUD_ROUTER, "near", "169.254.200.1", "in0", "169.254.200.2"),
        (CLOUD_ROUTER, "far", "169.254.201.1", "out0", "169.254.201.2"),
    )
    at(there, f"""
        ip route add {CLIENT} via 169.254.200.1
        ip route add {CAPTURED} via 169.254.201.1
        ip rule add fwmark 7 lookup 107
        ip route add local default dev lo table 107
        nft 'add table ip proxy; add chain ip proxy before {{ type filter hook prerouting priority -150; }}
            add rule ip proxy before iif in0 tcp dport 22 tproxy to 127.0.0.1:7000 meta mark set 7 accept
            add rule ip proxy before iif out0 tcp sport 22 meta mark set 7 accept'
    """)
    child_at(there, lambda: transparent_proxy(7000))
    until_listened(there, 7000)
    at(CLOUD_ROUTER, f"""
        ip route add default via 169.254.200.2 table 201
        ip route add default via 169.254.201.2 table 202
        ip rule add iif ens5 from {CLIENT} to {CAPTURED} ipproto tcp dport 22 lookup 201
        ip rule add iif wg-hybrid from {CAPTURED} to {CLIENT} ipproto tcp sport 22 lookup 202
    """)


def pair_in_namespaces():
    """The one gives the client another address, the other gives it back."""
    near = machine((CLOUD_ROUTER, "pair0", "169.254.200.1", "up0", "169.254.200.2"))
    far = machine((ROUTER, "pair0", "169.254.200.1", "up0", "169.254.200.2"))
    for there, old, new in (near, CLIENT, BETWEEN), (far, BETWEEN, CLIENT):
        # What answers a connection from the other side was not seen to be asked, and stays as it is.
        at(there, f"""
            ip route add default via 169.254.200.1
            iptables-legacy -t mangle -A PREROUTING -j TTL --ttl-inc 2
            nft 'add table ip pair; add chain ip pair after {{ type nat hook postrouting priority 100; }}
                add rule ip pair after tcp sport 0-29999 accept
                add rule ip pair after ip saddr {old} snat to {new}'
        """)
    through_a_pair("via 169.254.200.2 dev pair0")


def through_a_pair(way):
    """Both routers lead the path to what translates beside them."""
    at(CLOUD_ROUTER, f"""
        ip route add default {way} table 203
        ip rule add iif ens5 from {CLIENT} to {CAPTURED} lookup 203
        ip rule add iif wg-hybrid to {BETWEEN} lookup 203
    """)
    at(ROUTER, f"""
        ip route add default {way} table 203
        ip route add {BETWEEN} via 10.99.0.1 dev wg-hybrid
        ip rule add iif wg-hybrid from {BETWEEN} lookup 203
        ip rule add iif br-lan from {CAPTURED} to {CLIENT} lookup 203
    """)


def folded(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def corrected(checksum, old, new):
    halves = struct.unpack("!2H", old), struct.unpack("!2H", new)
    total = (~checksum & 0xFFFF) + sum(~half & 0xFFFF for half in halves[0]) + sum(halves[1])
    return ~folded(total) & 0xFFFF


def checksum_of(data):
    data = bytes(data) + b"\0" * (len(data) % 2)
    return struct.pack("!H", ~folded(sum(struct.unpack(f"!{len(data) // 2}H", data))) & 0xFFFF)


def rewritten(packet, old, new, hops=1):
    """The address, wherever it stands, also in what an error quotes; right checksums, and a hop that
    nobody sees."""
    packet = bytearray(packet)
    start = (packet[0] & 15) * 4
    if packet[9] == 1 and packet[start] in (3, 11):
        packet[start + 8:] = rewritten(packet[start + 8:], old, new, 0)
        packet[start + 2:start + 4] = b"\0\0"
        packet[start + 2:start + 4] = checksum_of(packet[start:])
    at_checksum = {6: 16, 17: 6}.get(packet[9])
    is_first = not struct.unpack("!H", packet[6:8])[0] & 0x1FFF
    for place in 12, 16:
        if packet[place:place + 4] != old:
            continue
        packet[place:place + 4] = new
        if at_checksum and is_first and len(packet) >= start + at_checksum + 2:
            where = slice(start + at_checksum, start + at_checksum + 2)
            was = struct.unpack("!H", packet[where])[0]
            if was or packet[9] == 6:
                packet[where] = struct.pack("!H", corrected(was, old, new))
    packet[8] = min(packet[8] + hops, 255)
    packet[10:12] = b"\0\0"
    packet[10:12] = checksum_of(packet[:start])
    return bytes(packet)


def translate_on_tun(old, new):
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))
    subprocess.run(f"ip link set tun0 mtu {MTU} up".split(), check=True)
    old, new = socket.inet_aton(old), socket.inet_aton(new)
    while True:
        packet = os.read(device, 65536)
        if packet[0] >> 4 == 4:
            # There the one becomes the other, back the other way round.
            turned = (old, new) if old in (packet[12:16], packet[16:20]) else (new, old)
            os.write(device, rewritten(packet, *turned))


def pair_on_tun_devices():
    for node in CLOUD_ROUTER, ROUTER:
        # On the far side the other end of the packet is what is turned back.
        child_at(node, lambda: translate_on_tun(CLIENT, BETWEEN))
        at(node, "for i in $(seq 100); do ip link show tun0 up 2> /dev/null | grep -q UP && exit 0; sleep 0.02; done; exit 1")
    through_a_pair("dev tun0")


def pair_on_the_clients():
    """The one client gives ports another number, the other gives it back."""
    at(CLOUD, f"""nft 'add table ip pair; add chain ip pair out {{ type nat hook output priority -100; }}
        add rule ip pair out ip daddr {CAPTURED} tcp dport 22 dnat to {CAPTURED}:2222
        add rule ip pair out ip daddr {CAPTURED} udp dport 443 dnat to {CAPTURED}:8443'""")
    at(ONPREM, f"""nft 'add table ip pair; add chain ip pair in {{ type nat hook prerouting priority -100; }}
        add rule ip pair in ip saddr {CLIENT} tcp dport 2222 dnat to {CAPTURED}:22
        add rule ip pair in ip saddr {CLIENT} udp dport 8443 dnat to {CAPTURED}:443'""")


def other_ways_out():
    at(ONPREM, "ip neigh replace 10.88.60.1 lladdr 02:00:00:00:00:66 dev eth0 nud permanent")
    at(CLOUD, """echo 0 > /proc/sys/net/ipv6/conf/ens5/disable_ipv6
        ip -6 route add default via fe80::1 dev ens5""")


def address_in_other_forms():
    at(CLOUD_ROUTER, f"""ip route add local {CAPTURED} dev lo table 99
        echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6
        ip -6 addr add ::ffff:{CAPTURED}/128 dev lo""")
    namespace_with_the_address()


def namespace_with_the_address():
    """A process of the node itself holds it; what makes it is not run, for who is not root loses by
    that what he may."""
    there, here = os.pipe()
    if os.fork() == 0:
        dies_with_parent()
        # The last two are the node's own, what its user namespace may do is enough for them.
        kinds = "pid", "user", "mnt"
        for namespace in [open(f"/proc/{CLOUD_ROUTER}/ns/{kind}") for kind in kinds]:
            if LIBC.setns(namespace.fileno(), 0):
                sys.exit(f"{namespace.name}: {os.strerror(ctypes.get_errno())}")
        holder = os.fork()
        if holder:
            os.write(here, str(holder).encode())
            os.waitpid(holder, 0)
            os._exit(0)
        dies_with_parent()
        if LIBC.unshare(NEWNET):
            sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
        signal.pause()
    os.close(here)
    holder = os.read(there, 16).decode() or sys.exit("nobody holds a namespace")
    own = os.readlink(f"/proc/{CLOUD_ROUTER}/ns/net")
    while os.readlink(f"/proc/{holder}/ns/net") in (own, os.readlink("/proc/self/ns/net")):
        pass
    at(holder, f"ip link set lo up; ip addr add {CAPTURED}/32 dev lo")


def other_machine():
    """Behind the on-prem router; whatever it answers to .7 goes back by the router."""
    there = machine((ROUTER, "imp0", "169.254.200.1", "up0", "169.254.200.2"))
    at(there, f"""ip addr add {CAPTURED}/32 dev up0
        ip route add default via 169.254.200.1
        echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start""")
    return there


def imposter_on_one_port():
    """It has the on-prem client's keys and files, and answers ssh's port alone."""
    there = other_machine()
    ready, says = os.pipe()
    sshd = ["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/sshd_config"]
    inside = ["nsenter", "-U", "-m", "-u", "--preserve-credentials", "-t", ONPREM]
    held = subprocess.Popen(
        ["nsenter", "-n", "-t", str(there), *inside, *sshd],
        stdin=subprocess.DEVNULL, stderr=says, preexec_fn=dies_with_parent,
    )
    MACHINES.append(held)
    os.close(says)
    with os.fdopen(ready) as said:
        for line in said:
            if "listening on" in line:
                break
        else:
            sys.exit("the imposter does not listen")
    at(ROUTER, f"""ip route add default via 169.254.200.2 dev imp0 table 204
        ip rule add iif wg-hybrid to {CAPTURED} ipproto tcp dport 22 lookup 204""")
    # Nobody reads the rest, and what writes into a closed pipe ends.
    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)


def second_machine_answers_too():
    other_machine()
    at(ROUTER, f"""nft 'add table ip copies; add chain ip copies before {{ type filter hook prerouting priority -300; }}
        add rule ip copies before iif wg-hybrid ip daddr {CAPTURED} icmp type echo-request dup to 169.254.200.2 device imp0'""")


def tcp_by_a_process_with_two_ends():
    """No cable: a process listens on the one client and connects on the other."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def listen():
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 50022))
        listener.listen(64)
        while True:
            connection, _ = listener.accept()
            socket.send_fds(near, [b"x"], [connection.fileno()])
            connection.close()

    def connect():
        while True:
            _, descriptors, _, _ = socket.recv_fds(far, 1, 1)
            connection = socket.socket(fileno=descriptors[0])
            other = socket.create_connection((CAPTURED, 22))
            threading.Thread(target=relay, args=(connection, other), daemon=True).start()

    child_at(CLOUD, listen)
    child_at(ONPREM, connect)
    until_listened(CLOUD, 50022)
    at(CLOUD, f"""echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
        iptables-legacy -t nat -A OUTPUT -d {CAPTURED} -p tcp --dport 22 -j DNAT --to 127.0.0.1:50022""")


def program_on_a_device():
    """Of eBPF, on the hook of drivers; it lets everything pass."""
    number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    instructions = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 2, 0x95, 0, 0, 0)
    code, licence = ctypes.create_string_buffer(instructions, 16), ctypes.create_string_buffer(b"GPL")
    load = struct.pack("<IIQQ", 6, 2, ctypes.addressof(code), ctypes.addressof(licence)).ljust(72, b"\0")
    loaded = LIBC.syscall(number, 5, load, len(load))
    device = socket.if_nametoindex("ens5")
    hang = struct.pack("<IIII", loaded, device, 37, 2).ljust(48, b"\0")
    if LIBC.syscall(number, 28, hang, len(hang)) < 0:
        sys.exit(f"the program does not hang: {os.strerror(ctypes.get_errno())}")
    signal.pause()


def listen_for_others():
    listener = socket.create_server(("0.0.0.0", 8080))
    READY.append(listener)
    signal.pause()


def much_that_is_left():
    child_at(CLOUD_ROUTER, program_on_a_device)
    child_at(ONPREM, listen_for_others)
    namespace_with_the_address()
    executor = "/usr/local/libexec/routerd/plugins/aws-provider-executor/bin/aws-provider-executor"
    at(CLOUD_ROUTER, "ip rule add from 192.0.2.77 lookup 77")
    at(CLOUD_ROUTER, f"umount {executor}; echo another > {executor}", "-m", "-p")
    at(CLOUD, """ip route add 203.0.113.0/24 via 10.88.60.1
        ip link set ens5 mtu 1400
        echo 1 > /proc/sys/net/ipv4/conf/all/accept_local""")
    at(ROUTER, """iptables-legacy -A FORWARD -s 192.0.2.78 -j DROP
        ip neigh add 192.0.2.79 lladdr 02:00:00:00:00:79 dev wan0 nud permanent""")
    at(ONPREM, "ip link add left0 type veth peer name left1")
    at(ONPREM, "echo ssh-ed25519 another >> /home/lab/.ssh/authorized_keys", "-m")
    until_listened(ONPREM, 8080)
    at(CLOUD_ROUTER, "for i in $(seq 100); do ip -d link show ens5 | grep -q xdp && exit 0; sleep 0.02; done; exit 1")


def settings_that_are_left():
    at(CLOUD_ROUTER, """ip xfrm policy setdefault fwd block
        ip nexthop add id 77 via 10.88.60.1 dev ens5
        echo 1234 > /proc/sys/net/ipv4/icmp_ratelimit""")
    at(ROUTER, "bridge link set dev lan1 state 0")
    at(CLOUD, "ip addr add 192.0.2.80/32 dev ens5; ip addr change 10.88.60.7/24 dev ens5 preferred_lft 0")
    at(ONPREM, "echo 192.0.2.81 elsewhere >> /etc/hosts", "-m")


def reachable_by_the_router():
    """The path of the capture, hop by hop, without the ENI: nothing that is asked while it is captured
    differs."""
    at(CLOUD, f"""ip link add byp type veth peer name byp netns /proc/{CLOUD_ROUTER}/ns/net
        ip addr add 169.254.9.1/30 dev byp
        ip link set byp up
        echo 0 > /proc/sys/net/ipv4/conf/byp/rp_filter
        ip route replace {CAPTURED}/32 via 169.254.9.2 dev byp src {CLIENT}""")
    at(CLOUD_ROUTER, f"""ip addr add 169.254.9.2/30 dev byp
        ip link set byp up
        echo 0 > /proc/sys/net/ipv4/conf/byp/rp_filter
        echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
        echo 1 > /proc/sys/net/ipv4/conf/byp/forwarding
        ip rule add iif wg-hybrid lookup 77
        ip route add {CLIENT}/32 via 169.254.9.1 dev byp table 77""")


def router_that_answers_a_port():
    at(CLOUD_ROUTER, """ip rule add pref 100 ipproto tcp dport 8080 lookup 205
        ip route add local default dev lo table 205""")


PLANTS = {name.replace("_", "-"): plant for name, plant in list(globals().items()) if callable(plant)}


def main():
    PLANTS[sys.argv[1]]()
    print("planted", flush=True)
    sys.stdin.read()


main()
