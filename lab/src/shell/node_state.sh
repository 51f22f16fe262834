# What a node's network, and who may log in there, is now: one answer for one look. It changes
# nothing. A frame goes round each program on both streams: its source's name before what it says,
# its exit status after it, so that "not readable here" and "empty" are told apart. No key of XFRM or
# of WireGuard ever leaves the node, and of who may log in only digests do.
# Words: `node-state`, then the files whose place and times are asked for.
set -f
shift
export LC_ALL=C

ask() {
    printf '\n##source %s\n' "$1"
    printf '\n##source %s\n' "$1" >&2
    shift
    "$@" < /dev/null
    printf '\n##status %s\n' "$?"
}

# How the kernel decides for addresses outside: by all rules and all tables, and in both halves of
# what a default route covers.
ways() {
    family=$1
    shift
    printf 'route get %s\n' "$@" | ip "$family" -force -j -batch -
}

ask hostname hostname
ask links ip -d -j addr show
# Of a bridge's ports and of a tunnel's far ends: what somebody has put there, not what was learned.
ask ports bridge -j -d link show
ask forwarding bridge -j fdb show
ask neighbours ip -j neigh show nud all
ask proxies ip -j neigh show proxy
ask rules ip -j -4 rule show
ask rules6 ip -j -6 rule show
ask routes ip -j -4 route show table all
ask routes6 ip -j -6 route show table all
ask ways ways -4 1.0.0.1 100.64.0.1 192.0.2.1 198.18.0.1 203.0.113.1 169.254.169.254
ask ways6 ways -6 2001:db8::1 2600::1 fd00:ec2::254

ask nft nft -j list ruleset
# Only tables that are there: the programs make those that they are asked for.
for table in $(cat /proc/net/ip_tables_names 2> /dev/null); do
    ask "legacy ip $table" iptables-legacy-save -t "$table"
done
for table in $(cat /proc/net/ip6_tables_names 2> /dev/null); do
    ask "legacy ip6 $table" ip6tables-legacy-save -t "$table"
done

# What these hold only a program shows that few have: which are there is known.
ask arp-tables cat /proc/net/arp_tables_names

ask qdiscs tc -j qdisc show
# Those that a device has by itself take no filters.
before=
kind=
for word in $(tc qdisc show 2> /dev/null < /dev/null); do
    if test "$before" = qdisc; then
        kind=$word
    elif test "$before" = dev && test "$kind" != noqueue && test "$kind" != noop \
        && test "$kind" != mq && test "$kind" != fq_codel && test "$kind" != fq \
        && test "$kind" != pfifo_fast; then
        ask "filters $word ingress" tc -j filter show dev "$word" ingress
        ask "filters $word egress" tc -j filter show dev "$word" egress
        ask "filters $word root" tc -j filter show dev "$word"
        ask "classes $word" tc -j class show dev "$word"
    fi
    before=$word
done
ask bpf bpftool -j net show
ask xfrm-states ip xfrm state list nokeys
ask xfrm-policies ip xfrm policy list

# Other network namespaces: those with a name, and those of processes. Where this is not the whole
# machine (pid 1 has another mount namespace) only of processes that share the own mount namespace.
ask namespace-names ip -j netns list-id
here=$(stat -L -c %i /proc/self/ns/net 2> /dev/null)
files_here=$(stat -L -c %i /proc/self/ns/mnt 2> /dev/null)
files_of_all=$(stat -L -c %i /proc/1/ns/mnt 2> /dev/null)
known=$here
for name in $(ls -1A /run/netns 2> /dev/null); do
    ask "namespace $name addresses" nsenter "--net=/run/netns/$name" ip -j addr show
    ask "namespace $name routes" nsenter "--net=/run/netns/$name" ip -j -4 route show table all
    known="$known $(stat -L -c %i "/run/netns/$name" 2> /dev/null)"
done
# A process that ends meanwhile is passed over.
set +f
processes='/proc/[0-9]*/ns/net'
if test "$files_here" != "$files_of_all"; then
    processes=
    inode=
    for word in $(stat -L -c '%i %n' /proc/[0-9]*/ns/mnt 2> /dev/null < /dev/null); do
        if test -z "$inode"; then
            inode=$word
        else
            if test "$inode" = "$files_here"; then processes="$processes ${word%mnt}net"; fi
            inode=
        fi
    done
fi
spaces=$(stat -L -c '%i %n' $processes 2> /dev/null < /dev/null)
set -f
ask namespaces printf '%s %s\n' $spaces
inode=
for word in $spaces; do
    if test -z "$inode"; then
        inode=$word
    else
        skip=
        for one in $known; do
            if test "$one" = "$inode"; then skip=1; fi
        done
        if test -z "$skip"; then
            known="$known $inode"
            ask "unnamed $word addresses" nsenter "--net=$word" ip -j addr show
            ask "unnamed $word routes" nsenter "--net=$word" ip -j -4 route show table all
        fi
        inode=
    fi
done

v4=/proc/sys/net/ipv4
v6=/proc/sys/net/ipv6
files="$v4/ip_forward $v4/ip_nonlocal_bind $v4/fwmark_reflect $v4/fwd_mark_reflect \
    $v4/tcp_l3mdev_accept $v4/udp_l3mdev_accept $v4/raw_l3mdev_accept $v4/tcp_fwmark_accept \
    $v4/ip_forward_use_pmtu $v4/ip_no_pmtu_disc $v4/ip_early_demux $v4/icmp_echo_ignore_all \
    $v4/ip_local_port_range $v4/ip_default_ttl $v4/tcp_window_scaling $v4/tcp_timestamps \
    $v4/tcp_sack $v4/tcp_ecn $v4/tcp_mtu_probing $v4/tcp_base_mss"
for device in $(ls -1 $v4/conf 2> /dev/null); do
    for key in forwarding mc_forwarding rp_filter accept_local proxy_arp proxy_arp_pvlan arp_ignore \
        arp_announce arp_filter arp_accept accept_redirects secure_redirects send_redirects \
        accept_source_route route_localnet src_valid_mark bc_forwarding; do
        files="$files $v4/conf/$device/$key"
    done
done
for device in $(ls -1 $v4/neigh 2> /dev/null); do
    for key in mcast_solicit ucast_solicit app_solicit retrans_time_ms base_reachable_time_ms \
        gc_stale_time locktime proxy_delay unres_qlen_bytes; do
        files="$files $v4/neigh/$device/$key"
    done
done
for device in $(ls -1 $v6/conf 2> /dev/null); do
    for key in forwarding disable_ipv6 accept_ra accept_redirects accept_source_route proxy_ndp \
        accept_dad autoconf seg6_enabled; do
        files="$files $v6/conf/$device/$key"
    done
done
ask sysctls grep -s -H '' $files
track=/proc/sys/net/netfilter
ask conntrack grep -s -H '' $track/nf_conntrack_max $track/nf_conntrack_tcp_loose \
    $track/nf_conntrack_tcp_be_liberal $track/nf_conntrack_checksum
ask listeners ss -H -lntup

# Keys that let somebody log in, in each home and where sshd's configuration names a file.
keys=
for home in $(cut -d: -f6 /etc/passwd 2> /dev/null); do
    keys="$keys $home/.ssh/authorized_keys $home/.ssh/authorized_keys2"
done
for file in $(ls -1A /etc/ssh/sshd_config.d 2> /dev/null); do
    keys="$keys /etc/ssh/sshd_config.d/$file"
done
for file in $(ls -1A /etc/sudoers.d 2> /dev/null); do
    keys="$keys /etc/sudoers.d/$file"
done
# The host keys that the harness's own ssh believes stand beside them.
ask logins sha256sum /etc/ssh/sshd_config /etc/ssh/authorized_keys /etc/passwd /etc/sudoers \
    /etc/lab-smoke/known_hosts /etc/group /etc/pam.d/sshd /etc/security/access.conf \
    /etc/nologin $keys
if test "$#" -gt 0; then
    ask files stat -L -c '%d %i %s %a %u:%g %.9Y %.9Z %n' "$@"
fi
printf '\n##end\n'
