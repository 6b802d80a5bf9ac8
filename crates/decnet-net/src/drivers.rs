//! Which of the kernel's drivers a fleet can have, found out by having them: in a namespace that is thrown
//! away at once, so that nothing of the machine's own network is touched.

use rtnetlink::packet_route::link::{IpVlanMode, MacVlanMode};
use rtnetlink::{LinkIpVlan, LinkMacVlan, LinkMessageBuilder, LinkVeth};

use crate::error::NetError;
use crate::namespace::Namespace;
use crate::sys::Tun;
use crate::{links, nftables};

/// A driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Driver {
    /// Pairs of Ethernet devices (`CONFIG_VETH`).
    Veth,
    /// MAC addresses of one's own on a NIC (`CONFIG_MACVLAN`).
    Macvlan,
    /// Addresses of one's own behind a NIC's MAC address (`CONFIG_IPVLAN`).
    Ipvlan,
    /// A NIC that is a program (`CONFIG_TUN`).
    Tun,
    /// Packet filters that know conversations (`CONFIG_NF_TABLES`, `CONFIG_NFT_CT`).
    Nftables,
}

impl Driver {
    /// All of them.
    pub const ALL: [Driver; 5] =
        [Driver::Veth, Driver::Macvlan, Driver::Ipvlan, Driver::Tun, Driver::Nftables];

    /// Its name, as `modprobe` knows it.
    pub const fn module(self) -> &'static str {
        match self {
            Driver::Veth => "veth",
            Driver::Macvlan => "macvlan",
            Driver::Ipvlan => "ipvlan",
            Driver::Tun => "tun",
            Driver::Nftables => "nf_tables",
        }
    }

    /// Tries it. MACVLAN and IPvlan need a veth to stand on.
    ///
    /// # Errors
    /// Missing rights, or what the kernel says of a driver that it does not have.
    pub fn try_out(self) -> Result<(), NetError> {
        Namespace::create()?.run(|| match self {
            Driver::Tun => Tun::create("tun0").map(drop),
            Driver::Nftables => nftables::make_reply_only(&[]),
            Driver::Veth => add("a pair of Ethernet devices", LinkVeth::new("veth0", "veth1")).map(drop),
            Driver::Macvlan | Driver::Ipvlan => {
                add("a pair of Ethernet devices", LinkVeth::new("veth0", "veth1"))?;
                let parent = links::find("veth0")?.index;
                if self == Driver::Macvlan {
                    add("a MACVLAN device", LinkMacVlan::new("lan0", parent, MacVlanMode::Bridge))
                } else {
                    add("an IPvlan device", LinkIpVlan::new("lan0", parent, IpVlanMode::L2))
                }
            }
        })
    }
}

fn add<T>(what: &'static str, link: LinkMessageBuilder<T>) -> Result<(), NetError> {
    let message = link.build();
    links::netlink(|handle| async move {
        handle
            .link()
            .add(message)
            .execute()
            .await
            .map_err(|error| NetError::netlink(format!("make {what}"), error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_leaves_nothing() {
        let Ok(namespace) = Namespace::create() else { return };
        let names = || namespace.run(links::list).unwrap().len();
        let before = names();
        for driver in Driver::ALL {
            // Present or not: both are answers, and neither changes anything here.
            let _ = namespace.run(|| Ok(driver.try_out().is_ok()));
        }
        assert_eq!(names(), before);
        assert!(Driver::Veth.try_out().is_ok(), "the tests themselves stand on it");
    }
}
