//! The facts of the host's network.

use std::net::Ipv4Addr;

use decnet_core::MacAddress;
use ipnet::Ipv4Net;

use crate::error::NetError;
use crate::{links, wireless};

/// The interface that a fleet would join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// Its MAC address.
    pub mac: Option<MacAddress>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Whether it is up.
    pub up: bool,
    /// Its address and LAN.
    pub address: Option<Ipv4Net>,
    /// The gateway of the default route over it.
    pub gateway: Option<Ipv4Addr>,
    /// Whether it is a Wi-Fi interface, which refuses foreign MAC addresses.
    pub wireless: bool,
}

/// Looks at the named interface of the calling thread's namespace, or at the one with the default route.
///
/// # Errors
/// No such interface, or none with a default route.
pub fn nic(name: Option<&str>) -> Result<Nic, NetError> {
    let route = links::default_route()?;
    let link = match name {
        Some(name) => links::find(name)?,
        None => {
            let (index, _) = route.ok_or(NetError::NoDefaultInterface)?;
            links::list()?.into_iter().find(|link| link.index == index).ok_or(NetError::NoDefaultInterface)?
        }
    };
    let address = links::address_of(link.index)?;
    let gateway = route.filter(|(index, _)| *index == link.index).and_then(|(_, gateway)| gateway);
    let wireless = wireless::is_wireless(link.index).unwrap_or(false);
    Ok(Nic { name: link.name, mac: link.mac, mtu: link.mtu, up: link.up, address, gateway, wireless })
}
