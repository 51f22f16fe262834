//! Gratuitous ARP: tells a subnet that an address has come, so that nobody waits for a repeated
//! question. The one module with `unsafe`: a packet socket is not within reach of the standard
//! library.

#![expect(unsafe_code, reason = "socket(2) and sendto(2) on AF_PACKET have no safe wrapper here")]

use std::io;
use std::mem::size_of;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::libc;

const BROADCAST: [u8; 6] = [0xff; 6];
const ETH_P_ARP: u16 = 0x0806;

/// Broadcasts on a device of this network namespace that `address` is at the device's own MAC,
/// which is where the fabric takes packets.
///
/// # Errors
/// Where there is no such device, or the kernel does not take the packet.
pub fn announce(device: &str, address: Ipv4Addr) -> io::Result<()> {
    let (index, mac) = link(device)?;
    send(index, &frame(mac, address))
}

#[derive(serde::Deserialize)]
struct IpLink {
    ifindex: i32,
    address: String,
}

fn link(device: &str) -> io::Result<(i32, [u8; 6])> {
    let output =
        std::process::Command::new("ip").args(["-j", "link", "show", "dev", device]).output()?;
    let unknown = || io::Error::other(format!("`ip` does not know the MAC of {device}"));
    let links: Vec<IpLink> = serde_json::from_slice(&output.stdout).map_err(|_| unknown())?;
    let link = links.into_iter().next().ok_or_else(unknown)?;
    Ok((link.ifindex, parse_mac(&link.address).ok_or_else(unknown)?))
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Option<Vec<u8>> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes?.try_into().ok()
}

/// An Ethernet frame with a request for the sender's own address (RFC 5227 §3).
fn frame(mac: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    [
        &BROADCAST[..],
        &mac,
        &ETH_P_ARP.to_be_bytes(),
        &head,
        &mac,
        &address.octets(),
        &BROADCAST,
        &address.octets(),
    ]
    .concat()
}

fn send(index: i32, frame: &[u8]) -> io::Result<()> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: no pointer is handed over; the result is checked before it becomes an owned fd.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_PACKET, kind, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: all zeroes is a valid sockaddr_ll.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    to.sll_protocol = ETH_P_ARP.to_be();
    to.sll_ifindex = index;
    to.sll_halen = 6;
    to.sll_addr[..6].copy_from_slice(&BROADCAST);
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
    // SAFETY: both pointers and lengths are those of living values, which the kernel only reads.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const to).cast(),
            length,
        )
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_asks_everyone_for_the_senders_own_address() {
        let mac = parse_mac("0a:58:0a:58:3c:04").expect("a MAC");
        let frame = frame(mac, Ipv4Addr::new(10, 88, 60, 9));
        assert_eq!(frame.len(), 42);
        assert_eq!(frame[..6], BROADCAST);
        assert_eq!(frame[6..14], [0x0a, 0x58, 0x0a, 0x58, 0x3c, 0x04, 8, 6]);
        assert_eq!(frame[28..32], [10, 88, 60, 9]);
        assert_eq!(frame[38..42], [10, 88, 60, 9]);
    }

    #[test]
    fn what_is_no_mac_is_none() {
        assert_eq!(parse_mac("0a:58"), None);
        assert_eq!(parse_mac("zz:58:0a:58:3c:04"), None);
    }
}
