# Makes a node's own root file system inside its mount namespace, and moves into it:
# NODE HOME INSIDE PROGRAM ROUTERCTL EXECUTOR AWS FOLDER...
# What is called lab-smoke among the mounts is the node's own; all else is the host's, and read-only.
set -eu
node=$1 home=$2 inside=$3 program=$4 routerctl=$5 executor=$6 aws=$7
shift 7
hostname "$node"
# In a private tree it may be a link to the host's.
own() {
    test ! -L "$2" || rm "$2"
    test -d "$2" || mkdir -p "$2"
    mount -t tmpfs -o "mode=$1" lab-smoke "$2"
}
own 755 /run/node
own 755 /run/upper
cd /run/node
mkdir proc sys dev run home root tmp
own 755 run

# The host's folder with a layer of the node's own over it; some kernels refuse.
overlay() {
    upper=/run/upper$1
    mount -t overlay \
        -o "lowerdir=/run/skeleton$1:$1,upperdir=$upper/upper,workdir=$upper/work,userxattr" \
        lab-smoke ".$1" 2>/dev/null
}
# Without it: a folder of the node's own, with links to what the host has in it; /etc is copied.
private() {
    mkdir -p "run/host$1"
    mount --rbind "$1" "run/host$1"
    own 755 ".$1"
    if test "$1" = /etc; then cp -a /run/skeleton/etc/. etc; else links_to_host "$1"; fi
}
links_to_host() {
    for entry in "$1"/*; do
        test -e "$entry" || continue
        # A small file is the node's own, to be written to; what may not be read is a link as well.
        if test -f "$entry" && test ! -L "$entry" && test "$(stat -c %s "$entry")" -lt 65536 \
            && cp -p "$entry" ".$1/" 2>/dev/null; then
            continue
        fi
        ln -sf "/run/host$entry" ".$1/"
    done
}
# A folder in a private tree, and those above it, instead of links.
unfold() {
    test -d "run/host/${1%%/*}" || return 0
    case $1 in */*) unfold "${1%/*}" ;; esac
    if test -L "$1"; then
        rm "$1" && mkdir "$1" && links_to_host "/$1"
    fi
}
# All folders at once: each program that is started costs every lab its time.
make_tops() {
    set --
    for top in /*; do
        case $top in /proc | /sys | /dev | /run | /tmp | /home | /root | /lost+found) continue ;; esac
        test -d "$top" && test ! -L "$top" || continue
        set -- "$@" ".$top" "/run/upper$top/upper" "/run/upper$top/work"
    done
    mkdir -p "$@"
}
make_tops
for top in /*; do
    case $top in /proc | /sys | /dev | /run | /tmp | /home | /root | /lost+found) continue ;; esac
    if test -L "$top"; then
        cp -P "$top" .
    elif test -d "$top"; then
        for entry in "$top"/* "$top"/.[!.]*; do
            test -e "$entry" || test -L "$entry" || continue
            overlay "$top" || private "$top"
            break
        done
    fi
done
for folder in usr/lib usr/local/sbin usr/local/bin var/lib var/log; do unfold $folder; done

mkdir -p usr/local/sbin etc
rm -f etc/passwd etc/group etc/hostname etc/hosts
(cd usr/local/sbin && rm -f sudo routerctl outage-probe aws systemd-run systemctl)
for folder in etc/ssh etc/lab-smoke usr/local/etc usr/local/libexec var/lib home root; do
    own 755 $folder
done
for folder in tmp var/tmp; do own 1777 $folder; done
plugins=usr/local/libexec/routerd/plugins
mkdir -p usr/local/etc/routerd var/lib/routerd home/lab/.ssh run/lab-smoke/in run/sshd
mkdir -p $plugins/aws-provider-executor/bin
chmod 700 home/lab/.ssh

# The kernel's: processes, the node's own devices, and few of those that are files.
mount --rbind /proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec lab-smoke sys 2>/dev/null || :
own 755 dev
mkdir dev/net dev/pts dev/shm
for device in null zero full random urandom tty net/tun; do
    test -c /dev/$device || continue
    : >dev/$device
    mount --bind /dev/$device dev/$device
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 lab-smoke dev/pts
own 1777 dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr

# The lab's, and what the AWS CLI is made of at its own paths.
mount --bind "$inside" run/lab-smoke/in
mount -o remount,bind,ro run/lab-smoke/in
bind() { : >"$2" && mount --bind "$1" "$2"; }
bind "$program" run/lab-smoke/program
bind "$routerctl" run/lab-smoke/routerctl
bind "$executor" run/lab-smoke/executor
for folder; do
    mkdir -p ".$folder"
    mount --rbind "$folder" ".$folder"
done
if test -n "$aws"; then ln -sf "$aws" usr/local/sbin/aws; else bind "$program" usr/local/sbin/aws; fi
# A node has no service manager: these run what is asked of one for the dead man's switch.
bind "$program" usr/local/sbin/systemd-run
bind "$program" usr/local/sbin/systemctl
case $node in *-client) bind "$program" usr/local/sbin/outage-probe ;; esac
if test "$node" = routerd-cloud; then
    bind "$routerctl" usr/local/sbin/routerctl
    bind "$program" $plugins/lab-planner
    bind "$executor" $plugins/aws-provider-executor/bin/aws-provider-executor
fi
# The folders of labs hold keys; where the host's /tmp has them there is nothing of them here.
test ! -d ".$home" || own 700 ".$home"

mkdir run/old
pivot_root . run/old
umount -l /run/old
rmdir /run/old
