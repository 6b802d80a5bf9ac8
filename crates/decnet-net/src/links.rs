//! Links, addresses and routes by rtnetlink.
//!
//! Every function works in the namespace of the calling thread. "Already so" is success.

use std::future::Future;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;

use decnet_core::MacAddress;
use ipnet::Ipv4Net;
use rtnetlink::packet_route::link::LinkAttribute;
use rtnetlink::packet_route::route::{RouteScope, RouteType};
use rtnetlink::{Handle, LinkUnspec, LinkVeth, RouteMessageBuilder};

use crate::error::NetError;
use crate::namespace::Namespace;

/// `-EEXIST`.
const EXISTS: i32 = 17;

/// A link as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MAC address, where it has one.
    pub mac: Option<MacAddress>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Whether it is the loopback.
    pub loopback: bool,
    /// Whether it is up.
    pub up: bool,
}

/// Speaks rtnetlink in the calling thread's namespace until `work` is done.
///
/// # Errors
/// No netlink socket can be opened, or what `work` says.
pub fn netlink<T, F>(work: impl FnOnce(Handle) -> F) -> Result<T, NetError>
where
    F: Future<Output = Result<T, NetError>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| NetError::system("start a runtime for netlink", error))?;
    runtime.block_on(async {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| NetError::system("open a netlink socket", error))?;
        let connection = tokio::spawn(connection);
        let result = work(handle).await;
        connection.abort();
        result
    })
}

/// All links of the namespace.
///
/// # Errors
/// Those of netlink.
pub fn list() -> Result<Vec<Link>, NetError> {
    netlink(|handle| async move {
        let mut links = Vec::new();
        let mut stream = handle.link().get().execute();
        while let Some(message) =
            next(&mut stream).await.transpose().map_err(|error| NetError::netlink("list the links", error))?
        {
            let mut link = Link {
                index: message.header.index,
                name: String::new(),
                mac: None,
                mtu: 1500,
                loopback: message.header.flags.contains(rtnetlink::packet_route::link::LinkFlags::Loopback),
                up: message.header.flags.contains(rtnetlink::packet_route::link::LinkFlags::Up),
            };
            for attribute in message.attributes {
                match attribute {
                    LinkAttribute::IfName(name) => link.name = name,
                    LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                    LinkAttribute::Address(bytes) => {
                        link.mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddress);
                    }
                    _ => {}
                }
            }
            links.push(link);
        }
        Ok(links)
    })
}

/// The link of that name.
///
/// # Errors
/// [`NetError::NoInterface`] where there is none.
pub fn find(name: &str) -> Result<Link, NetError> {
    list()?.into_iter().find(|link| link.name == name).ok_or_else(|| NetError::NoInterface(name.to_owned()))
}

/// Makes a pair of Ethernet devices joined by a cable, the second one in `peer_namespace`.
///
/// # Errors
/// Those of netlink.
pub fn add_veth(name: &str, peer: &str, peer_namespace: &Namespace) -> Result<(), NetError> {
    use std::os::fd::AsFd as _;
    let (name, peer) = (name.to_owned(), peer.to_owned());
    let namespace = peer_namespace.as_fd().as_raw_fd();
    netlink(|handle| async move {
        done_or_exists(
            handle.link().add(LinkVeth::new(&name, &peer).build()).execute().await,
            format!("make the links {name} and {peer}"),
        )?;
        let index = index_of(&handle, &peer).await?;
        handle
            .link()
            .set(LinkUnspec::new_with_index(index).setns_by_fd(namespace).build())
            .execute()
            .await
            .map_err(|error| NetError::netlink(format!("move {peer} into its namespace"), error))
    })
}

/// Gives a link a MAC address, while it is down.
///
/// # Errors
/// Those of netlink.
pub fn set_mac(name: &str, mac: MacAddress) -> Result<(), NetError> {
    let name = name.to_owned();
    netlink(|handle| async move {
        let index = index_of(&handle, &name).await?;
        handle
            .link()
            .set(LinkUnspec::new_with_index(index).address(mac.octets().to_vec()).build())
            .execute()
            .await
            .map_err(|error| NetError::netlink(format!("give {name} the address {mac}"), error))
    })
}

/// Sets a link up.
///
/// # Errors
/// Those of netlink.
pub fn set_up(name: &str) -> Result<(), NetError> {
    let name = name.to_owned();
    netlink(|handle| async move {
        let index = index_of(&handle, &name).await?;
        handle
            .link()
            .set(LinkUnspec::new_with_index(index).up().build())
            .execute()
            .await
            .map_err(|error| NetError::netlink(format!("set {name} up"), error))
    })
}

/// Renames a link, while it is down.
///
/// # Errors
/// Those of netlink.
pub fn rename(name: &str, to: &str) -> Result<(), NetError> {
    let (name, to) = (name.to_owned(), to.to_owned());
    netlink(|handle| async move {
        let index = index_of(&handle, &name).await?;
        handle
            .link()
            .set(LinkUnspec::new_with_index(index).name(to.clone()).build())
            .execute()
            .await
            .map_err(|error| NetError::netlink(format!("rename {name} to {to}"), error))
    })
}

/// Routes everything over a gateway.
///
/// # Errors
/// Those of netlink.
pub fn add_gateway(gateway: Ipv4Addr) -> Result<(), NetError> {
    netlink(|handle| async move {
        let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).build();
        done_or_exists(handle.route().add(route).execute().await, format!("route everything over {gateway}"))
    })
}

/// Sets a link's MTU in bytes.
///
/// # Errors
/// Those of netlink.
pub fn set_mtu(name: &str, mtu: u32) -> Result<(), NetError> {
    let name = name.to_owned();
    netlink(|handle| async move {
        let index = index_of(&handle, &name).await?;
        handle
            .link()
            .set(LinkUnspec::new_with_index(index).mtu(mtu).build())
            .execute()
            .await
            .map_err(|error| NetError::netlink(format!("give {name} an MTU of {mtu}"), error))
    })
}

/// Gives a link an address.
///
/// # Errors
/// Those of netlink.
pub fn add_address(name: &str, address: Ipv4Addr, prefix: u8) -> Result<(), NetError> {
    let name = name.to_owned();
    netlink(|handle| async move {
        let index = index_of(&handle, &name).await?;
        let added = handle.address().add(index, IpAddr::V4(address), prefix).execute().await;
        done_or_exists(added, format!("give {name} the address {address}/{prefix}"))
    })
}

/// Takes every IPv4 address from a link, and with them the routes that they made. One that is gone is no
/// error.
///
/// # Errors
/// Those of netlink.
pub fn remove_addresses(index: u32) -> Result<(), NetError> {
    use rtnetlink::packet_route::AddressFamily;
    /// `-EADDRNOTAVAIL`: no such address.
    const GONE: i32 = 99;
    netlink(|handle| async move {
        let mut addresses = Vec::new();
        let mut stream = handle.address().get().execute();
        while let Some(message) = next(&mut stream)
            .await
            .transpose()
            .map_err(|error| NetError::netlink("list the addresses", error))?
        {
            if message.header.index == index && message.header.family == AddressFamily::Inet {
                addresses.push(message);
            }
        }
        for message in addresses {
            let removed = handle.address().del(message).execute().await;
            match removed.map_err(|error| NetError::netlink("take an address from the NIC", error)) {
                Err(error) if error.os_code() == Some(GONE) => {}
                result => result?,
            }
        }
        Ok(())
    })
}

/// Routes everything over a link, without a gateway.
///
/// # Errors
/// Those of netlink.
pub fn add_default_route(name: &str) -> Result<(), NetError> {
    let name = name.to_owned();
    netlink(|handle| async move {
        let index = index_of(&handle, &name).await?;
        let route =
            RouteMessageBuilder::<Ipv4Addr>::new().output_interface(index).scope(RouteScope::Link).build();
        done_or_exists(handle.route().add(route).execute().await, format!("route everything over {name}"))
    })
}

/// Makes addresses local without giving them to an interface (AnyIP): sockets can bind them, and packets
/// to them are taken in. All requests are under way at once.
///
/// # Errors
/// Those of netlink; addresses before the failing one may have been added.
pub fn add_local_addresses(addresses: &[Ipv4Addr]) -> Result<(), NetError> {
    change_local_addresses(addresses, true)
}

/// Takes addresses away that [`add_local_addresses`] made local. One that is not there is no error.
///
/// # Errors
/// Those of netlink.
pub fn remove_local_addresses(addresses: &[Ipv4Addr]) -> Result<(), NetError> {
    change_local_addresses(addresses, false)
}

fn change_local_addresses(addresses: &[Ipv4Addr], add: bool) -> Result<(), NetError> {
    /// `RT_TABLE_LOCAL`.
    const LOCAL_TABLE: u32 = 255;
    /// Requests under way at once: their answers must fit the socket's receive buffer.
    const AT_ONCE: usize = 64;
    /// `-ESRCH`: no such route.
    const GONE: i32 = 3;
    netlink(|handle| async move {
        let loopback = index_of(&handle, "lo").await?;
        for some in addresses.chunks(AT_ONCE) {
            let mut requests = tokio::task::JoinSet::new();
            for address in some {
                let route = RouteMessageBuilder::<Ipv4Addr>::new()
                    .destination_prefix(*address, 32)
                    .output_interface(loopback)
                    .table_id(LOCAL_TABLE)
                    .scope(RouteScope::Host)
                    .kind(RouteType::Local)
                    .build();
                let (handle, address) = (handle.clone(), *address);
                requests.spawn(async move {
                    let result = if add {
                        handle.route().add(route).execute().await
                    } else {
                        handle.route().del(route).execute().await
                    };
                    (address, result)
                });
            }
            while let Some(joined) = requests.join_next().await {
                let (address, result) = joined.map_err(|_| NetError::Thread)?;
                let action = if add { "make" } else { "stop making" };
                match result.map_err(|error| NetError::netlink(format!("{action} {address} local"), error)) {
                    Err(error) if !add && error.os_code() == Some(GONE) => {}
                    Err(error) if add && error.os_code() == Some(EXISTS) => {}
                    result => result?,
                }
            }
        }
        Ok(())
    })
}

/// The MAC addresses of the namespace's neighbours on `name`, as the kernel remembers them.
///
/// # Errors
/// Those of netlink.
pub fn neighbour(address: Ipv4Addr) -> Result<Option<MacAddress>, NetError> {
    use rtnetlink::packet_route::neighbour::{NeighbourAddress, NeighbourAttribute};
    netlink(|handle| async move {
        let mut stream = handle.neighbours().get().execute();
        while let Some(message) = next(&mut stream)
            .await
            .transpose()
            .map_err(|error| NetError::netlink("list the neighbours", error))?
        {
            let mut matches = false;
            let mut mac = None;
            for attribute in message.attributes {
                match attribute {
                    NeighbourAttribute::Destination(NeighbourAddress::Inet(found)) => {
                        matches = found == address
                    }
                    NeighbourAttribute::LinkLayerAddress(bytes) => {
                        mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddress);
                    }
                    _ => {}
                }
            }
            if matches && mac.is_some() {
                return Ok(mac);
            }
        }
        Ok(None)
    })
}

/// The first IPv4 address of a link.
///
/// # Errors
/// Those of netlink.
pub fn address_of(index: u32) -> Result<Option<Ipv4Net>, NetError> {
    use rtnetlink::packet_route::AddressFamily;
    use rtnetlink::packet_route::address::AddressAttribute;
    netlink(|handle| async move {
        let mut stream = handle.address().get().execute();
        while let Some(message) = next(&mut stream)
            .await
            .transpose()
            .map_err(|error| NetError::netlink("list the addresses", error))?
        {
            if message.header.index != index || message.header.family != AddressFamily::Inet {
                continue;
            }
            for attribute in &message.attributes {
                // `Local` is the host's own end; `Address` differs on point-to-point links.
                if let AddressAttribute::Local(IpAddr::V4(address)) = attribute
                    && let Ok(net) = Ipv4Net::new(*address, message.header.prefix_len)
                {
                    return Ok(Some(net));
                }
            }
        }
        Ok(None)
    })
}

/// The default route with the lowest metric: the link's index and the gateway.
///
/// # Errors
/// Those of netlink.
pub fn default_route() -> Result<Option<(u32, Option<Ipv4Addr>)>, NetError> {
    use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute};
    netlink(|handle| async move {
        let mut best: Option<(u32, u32, Option<Ipv4Addr>)> = None;
        let mut stream = handle.route().get(RouteMessageBuilder::<Ipv4Addr>::new().build()).execute();
        while let Some(message) = next(&mut stream)
            .await
            .transpose()
            .map_err(|error| NetError::netlink("list the routes", error))?
        {
            if message.header.destination_prefix_length != 0 {
                continue;
            }
            let (mut link, mut gateway, mut metric) = (None, None, 0);
            for attribute in &message.attributes {
                match attribute {
                    RouteAttribute::Oif(index) => link = Some(*index),
                    RouteAttribute::Gateway(RouteAddress::Inet(address)) => gateway = Some(*address),
                    RouteAttribute::Priority(priority) => metric = *priority,
                    _ => {}
                }
            }
            if let Some(link) = link
                && best.is_none_or(|(lowest, _, _)| metric < lowest)
            {
                best = Some((metric, link, gateway));
            }
        }
        Ok(best.map(|(_, link, gateway)| (link, gateway)))
    })
}

/// Writes a sysctl of the calling thread's network namespace, `net/ipv4/ip_forward` for instance, unless it
/// has that value already.
///
/// # Errors
/// The sysctl does not exist or is read-only.
pub fn sysctl(path: &str, value: &str) -> Result<(), NetError> {
    let file = format!("/proc/sys/{path}");
    if std::fs::read_to_string(&file).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    std::fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(|error| NetError::system(format!("set {path} to {value}"), error))
}

async fn index_of(handle: &Handle, name: &str) -> Result<u32, NetError> {
    let mut stream = handle.link().get().match_name(name.to_owned()).execute();
    match next(&mut stream).await {
        Some(Ok(message)) => Ok(message.header.index),
        _ => Err(NetError::NoInterface(name.to_owned())),
    }
}

fn done_or_exists(result: Result<(), rtnetlink::Error>, action: String) -> Result<(), NetError> {
    match result.map_err(|error| NetError::netlink(action, error)) {
        Err(error) if error.os_code() == Some(EXISTS) => Ok(()),
        result => result,
    }
}

/// The next item of a netlink answer.
async fn next<T>(stream: &mut (impl futures_core::Stream<Item = T> + Unpin)) -> Option<T> {
    std::future::poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)).await
}
