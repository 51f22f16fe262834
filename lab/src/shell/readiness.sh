# Says what a run would find on this node, a line each: nothing is changed.
# INTERFACE, then programs of the user, `--`, programs of root, `--`, files.
set -u
export LC_ALL=C
echo "login $(command -v getent > /dev/null && getent passwd "$(id -un)" | cut -d: -f7)"
if sudo -n true 2> /dev/null; then echo "sudo yes"; else echo "sudo no"; fi
echo "synchronized $(timedatectl show -p NTPSynchronized --value 2> /dev/null)"
echo "mac $(cat "/sys/class/net/$1/address" 2> /dev/null)"
for pattern in 'refresh-policy-routes@*' 'policy-routes@*' 'cloud-netconfig*' 'cloud-network-setup*'; do
    systemctl list-units --plain --no-legend --state=active "$pattern" 2> /dev/null \
        | while read -r unit rest; do echo "agent $unit"; done
done
for file in /etc/dhcp/dhclient.d/ec2dhcp.sh /etc/sysconfig/network-scripts/ec2net-functions; do
    if test -e "$file"; then echo "agent $file"; fi
done
shift
who=user
for word in "$@"; do
    if test "$word" = --; then
        if test "$who" = user; then who=root; else who=file; fi
    elif test "$who" = user; then
        command -v "$word" > /dev/null || echo "lacks $word"
    elif test "$who" = root; then
        sudo -n sh -c 'command -v "$1"' sh "$word" > /dev/null 2>&1 || echo "root-lacks $word"
    else
        sudo -n test -e "$word" 2> /dev/null || echo "no-file $word"
    fi
done
