# Makes a node's files inside its own mount namespace: NODE INSIDE PROGRAM ROUTERCTL EXECUTOR.
# What is bound is bound first, for later mounts may cover where it lies.
set -eu
hostname "$1"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/host /run/lab-smoke/in /run/sshd
mount --rbind "$2" /run/lab-smoke/in
bind() { : > "$2"; mount --bind "$1" "$2"; }
bind "$3" /run/lab-smoke/program
bind "$4" /run/lab-smoke/routerctl
bind "$5" /run/lab-smoke/executor

# A folder of the node's own with links to everything that the host has in it.
shadow() {
    mkdir -p "/run/host$1"
    mount --rbind "$1" "/run/host$1"
    mount -t tmpfs -o mode=755 tmpfs "$1"
    for entry in "/run/host$1"/*; do
        test ! -e "$entry" || set -- "$@" "$entry"
    done
    folder=$1
    shift
    test $# = 0 || ln -s -t "$folder" "$@"
}
shadow /etc
rm -f /etc/passwd /etc/group /etc/hostname /etc/hosts /etc/ssh /etc/lab-smoke
mkdir /etc/ssh /etc/lab-smoke
shadow /usr/local
rm -f /usr/local/sbin /usr/local/etc /usr/local/libexec
mkdir -p /usr/local/sbin /usr/local/etc/routerd
plugins=/usr/local/libexec/routerd/plugins
mkdir -p $plugins/aws-provider-executor/bin
for program in /run/host/usr/local/sbin/*; do
    test ! -e "$program" || ln -s -t /usr/local/sbin "$program"
done
for folder in /var/lib /home /root; do
    mount -t tmpfs -o mode=755 tmpfs $folder
done
for folder in /tmp /var/tmp; do
    mount -t tmpfs -o mode=1777 tmpfs $folder
done
mkdir -p /var/lib/routerd /home/lab/.ssh
chmod 700 /home/lab/.ssh

case $1 in *-client)
    rm -f /usr/local/sbin/outage-probe
    bind /run/lab-smoke/program /usr/local/sbin/outage-probe
esac
if test "$1" = routerd-cloud; then
    rm -f /usr/local/sbin/routerctl
    bind /run/lab-smoke/routerctl /usr/local/sbin/routerctl
    bind /run/lab-smoke/program $plugins/lab-planner
    bind /run/lab-smoke/executor $plugins/aws-provider-executor/bin/aws-provider-executor
fi
