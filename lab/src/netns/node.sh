# Makes a node's files inside its own mount namespace:
# NODE INSIDE PROGRAM ROUTERCTL EXECUTOR AWS FOLDER...
# What is bound is bound first, for later mounts may cover where it lies.
set -eu
node=$1 inside=$2 program=$3 routerctl=$4 executor=$5 aws=$6
shift 6
hostname "$node"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/host /run/lab-smoke/in /run/sshd
mount --rbind "$inside" /run/lab-smoke/in
bind() { : > "$2"; mount --bind "$1" "$2"; }
bind "$program" /run/lab-smoke/program
bind "$routerctl" /run/lab-smoke/routerctl
bind "$executor" /run/lab-smoke/executor
number=0
for folder; do
    number=$((number + 1))
    mkdir -p /run/lab-smoke/shown/$number
    mount --rbind "$folder" /run/lab-smoke/shown/$number
done

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

case $node in *-client)
    rm -f /usr/local/sbin/outage-probe
    bind /run/lab-smoke/program /usr/local/sbin/outage-probe
esac
# The host's folders that the AWS CLI is made of, at their own paths and for reading alone. Where
# their file system has flags that this user may not touch they stay as they are.
number=0
for folder; do
    number=$((number + 1))
    mkdir -p "$folder"
    mount --rbind /run/lab-smoke/shown/$number "$folder"
    mount -o remount,bind,ro "$folder" 2>/dev/null || :
done
test -z "$aws" || ln -sf "$aws" /usr/local/sbin/aws

if test "$node" = routerd-cloud; then
    rm -f /usr/local/sbin/routerctl
    bind /run/lab-smoke/routerctl /usr/local/sbin/routerctl
    bind /run/lab-smoke/program $plugins/lab-planner
    bind /run/lab-smoke/executor $plugins/aws-provider-executor/bin/aws-provider-executor
fi
