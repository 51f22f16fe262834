# What the lab shows of the host, made once in the supervisor's mount namespace: FOLDER
# Nodes live in user namespaces of their own below this one's, so that what is read-only here stays so
# there, whatever they do with mounts.
set -eu
folder=$1
cp /proc/self/mountinfo "$folder/mounts"
mount --bind "$folder" "$folder"
mount -t tmpfs -o mode=755 lab-smoke /run
mkdir /run/node /run/upper /run/skeleton /run/net

# Folders that are the lab's user's, for an overlay cannot change one that is somebody else's; and all
# of /etc that he may read. It takes as long as the mounts below, which it has nothing to do with.
make_skeleton() {
    cd /run/skeleton
    for top in /*; do
        case $top in /proc | /sys | /dev | /run | /tmp | /home | /root | /lost+found) continue ;; esac
        test -d "$top" && test ! -L "$top" || continue
        mkdir ".$top"
        case $top in /usr | /var | /opt | /srv | /boot)
            find "$top" -xdev -mindepth 1 -maxdepth 3 -type d \
                \( ! -readable -prune -o ! -executable -prune -o -printf '.%p\0' \) | xargs -0r mkdir -p ;;
        esac
    done
    test ! -d /etc || cp -rP --preserve=mode,timestamps /etc . 2>/dev/null || :
}
make_skeleton &
skeleton=$!

# Device files are no files of the host's, and nodes get few of them. Of /sys they see their own.
while read -r _ _ _ _ point options _; do
    case $point in *\\*) point=$(printf '%b' "$point") ;; esac
    case $point in "$folder" | /run | /run/* | /proc | /proc/* | /dev | /dev/* | /sys/*) continue ;; esac
    case $options in *,idmapped*) options=${options%,idmapped*}${options#*,idmapped} ;; esac
    # What could not be made read-only is found where a node would show it.
    mount -o "remount,bind,ro${options#r?}" none "$point" || :
done <"$folder/mounts"
rm "$folder/mounts"

# Of /proc only the processes and /proc/sys/net are a namespace's own: all else is the whole machine's.
mount --bind /proc/sys/net /run/net
for entry in $(find /proc -mindepth 1 -maxdepth 1 -name '[!0-9]*' \( -type d -o -type f -perm /222 \)); do
    mount --bind -o ro,nosuid,nodev,noexec "$entry" "$entry"
done
mount --bind /run/net /proc/sys/net
umount /run/net
rmdir /run/net

wait "$skeleton"
