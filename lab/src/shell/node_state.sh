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
# Before and after all else: a resolver and a DHCP client listen for one answer.
ask passing ss -H -lnup
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
# A route that only names one of these says nothing of where it leads.
ask nexthops ip -j nexthop show
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
        # Not every kind of class has words in JSON.
        ask "classes $word" tc class show dev "$word"
    fi
    before=$word
done
ask bpf bpftool -j net show
ask xfrm-states ip xfrm state list nokeys
ask xfrm-policies ip xfrm policy list
ask xfrm-default ip xfrm policy getdefault

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

# All of the network's settings, without secrets and what counts by itself.
ask sysctls grep -r -s -H --exclude=stable_secret --exclude=tcp_fastopen_key \
    --exclude=nf_conntrack_count '' /proc/sys/net
ask listeners ss -H -lntup

# Keys that let somebody log in, what else of a home and of the system decides what a login and a
# command become, and where sshd's configuration names a file.
keys=
for home in $(cut -d: -f6 /etc/passwd 2> /dev/null); do
    for file in authorized_keys authorized_keys2 rc environment config; do
        keys="$keys $home/.ssh/$file"
    done
done
for folder in /etc/ssh/sshd_config.d /etc/ssh/ssh_config.d /etc/sudoers.d; do
    for file in $(ls -1A $folder 2> /dev/null); do
        keys="$keys $folder/$file"
    done
done
for kind in rsa ecdsa ed25519; do
    keys="$keys /etc/ssh/ssh_host_${kind}_key /etc/ssh/ssh_host_${kind}_key.pub"
done
# The host keys that the harness's own ssh believes stand beside them.
ask logins sha256sum /etc/ssh/sshd_config /etc/ssh/authorized_keys /etc/passwd /etc/sudoers \
    /etc/lab-smoke/known_hosts /etc/group /etc/pam.d/sshd /etc/security/access.conf \
    /etc/nologin /etc/hosts /etc/nsswitch.conf /etc/ld.so.preload /etc/environment \
    /etc/ssh/ssh_config /etc/ssh/sshrc $keys
# What gives an interface each address that its ENI has got: by timers of its own, or at a lease's
# renewal.
if test -d /run/systemd/system; then
    ask agents systemctl list-units --plain --no-legend --state=active,activating \
        'refresh-policy-routes@*.timer' 'cloud-netconfig.*' 'nm-cloud-setup.*' cloud-network.service
fi
if test -x /etc/dhcp/dhclient.d/ec2dhcp.sh; then
    ask "agents of dhclient" echo /etc/dhcp/dhclient.d/ec2dhcp.sh
fi
if test "$#" -gt 0; then
    ask files stat -L -c '%d %i %s %a %u:%g %.9Y %.9Z %n' "$@"
fi
printf '\n##end\n'
