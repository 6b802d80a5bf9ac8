//! Starting workers and hearing of their ends.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::channel::{Channel, Received};
use super::super::worker::Notice;
use super::super::zygote::{News, Order, Spawn};
use super::ground::Zygote;
use super::logs::Logs;
use super::members::{Member, Worker, end_in_words};
use super::report;
use crate::error::EngineError;

/// How long ended workers may take to go.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long to wait before a zygote that cannot be started is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The zygote and the way by which workers say that they serve.
#[derive(Debug)]
pub(crate) struct Workers {
    empty: PathBuf,
    /// None while one that could not be started is waited for.
    zygote: Option<Zygote>,
    /// When that is tried again.
    again: Option<Instant>,
    notices: Channel,
    /// The workers' end; each gets a copy and closes it after its one word.
    theirs: Channel,
    next_id: u64,
    /// The decky of every worker whose end was not heard of. While one lives, it holds its decky's ports.
    alive: BTreeMap<u64, String>,
    /// What is known of how workers are held; told to the operator when it changes.
    confinement: Option<super::super::sandbox::Confinement>,
}

/// What happened to a worker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// It ended; with the signal, if one ended it.
    Ended { decky: String, how: String, signal: Option<i32> },
    /// All of them ended.
    AllEnded,
}

impl Workers {
    /// Starts the zygote.
    pub(crate) fn start(empty: PathBuf) -> Result<Workers, EngineError> {
        let (notices, theirs) =
            Channel::pair().map_err(|error| EngineError::system("make the workers' channel", error))?;
        let zygote = Some(Zygote::start(&empty)?);
        Ok(Workers {
            empty,
            zygote,
            again: None,
            notices,
            theirs,
            next_id: 1,
            alive: BTreeMap::new(),
            confinement: None,
        })
    }

    /// What to wait on.
    pub(crate) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.zygote.iter().map(Zygote::wake).chain([self.notices.as_fd()])
    }

    /// When [`Workers::attend`] has something to try again.
    pub(crate) fn next_attempt(&self) -> Option<Instant> {
        self.again
    }

    /// Asks for a member's worker.
    pub(crate) fn spawn(&mut self, member: &mut Member, logs: &Logs) -> Result<(), EngineError> {
        let failed = |error: std::io::Error| {
            EngineError::system(format!("start the worker of {}", member.decky.name), error)
        };
        let services: Vec<String> =
            member.decky.services.iter().map(|service| service.slug.clone()).collect();
        let log_sockets: Vec<OwnedFd> =
            services.iter().map(|service| logs.socket(&member.speaker(service))).collect::<Result<_, _>>()?;
        let id = self.next_id;
        self.next_id += 1;
        let order = Order::Spawn(Box::new(Spawn {
            id,
            user: member.user,
            decky: member.decky.clone(),
            logs: services,
            sockets: member.slots.iter().map(|slot| (slot.service.clone(), slot.port)).collect(),
            files: member.files.iter().map(|file| (file.service.clone(), file.key.clone())).collect(),
        }));
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![self.theirs.as_fd()];
        descriptors.extend(log_sockets.iter().map(AsFd::as_fd));
        descriptors.extend(member.slots.iter().map(|slot| slot.socket.as_fd()));
        descriptors.extend(member.files.iter().map(|file| file.content.descriptor.as_fd()));
        let Some(zygote) = &self.zygote else {
            return Err(failed(std::io::Error::other("there is no zygote")));
        };
        zygote.channel.send(&order, &descriptors).map_err(failed)?;
        self.alive.insert(id, member.decky.name.clone());
        member.worker = Worker::Starting { id };
        Ok(())
    }

    /// Takes in everything that is waiting to be heard.
    pub(crate) fn attend(&mut self, members: &mut BTreeMap<String, Member>, now: Instant) -> Vec<Happening> {
        let mut happenings = Vec::new();
        self.hear_notices(members, now);
        if self.again.is_some_and(|due| due <= now) {
            self.renew_zygote(now);
        }
        while let Some(zygote) = &self.zygote {
            match zygote.channel.try_receive::<News>() {
                Ok(Received::Message(News::Exited { id, signal, code }, _)) => {
                    // A worker that failed to start has said so; its word may still be waiting.
                    self.hear_notices(members, now);
                    if let Some(member) = self.member_of(members, id) {
                        let how = end_in_words(signal, code);
                        member.ended(how.clone(), now);
                        happenings.push(Happening::Ended { decky: member.decky.name.clone(), how, signal });
                    }
                    self.alive.remove(&id);
                }
                Ok(Received::Message(News::Refused { id, message }, _)) => {
                    self.failed(members, id, message, now);
                    self.alive.remove(&id);
                }
                Ok(Received::Message(_, _)) => {}
                Ok(Received::Empty) => break,
                Ok(Received::End) | Err(_) => {
                    self.start_again(members, now);
                    happenings.push(Happening::AllEnded);
                    break;
                }
            }
        }
        happenings
    }

    fn hear_notices(&mut self, members: &mut BTreeMap<String, Member>, now: Instant) {
        while let Ok(Received::Message(notice, _)) = self.notices.try_receive::<Notice>() {
            match notice {
                Notice::Ready { id, pid, confinement } => {
                    if self.confinement != Some(confinement) {
                        self.confinement = Some(confinement);
                        tell(confinement);
                    }
                    if let Some(member) = self.member_of(members, id) {
                        member.worker = Worker::Serving { id, pid, since: now };
                    }
                }
                Notice::Failed { id, message } => self.failed(members, id, message, now),
            }
        }
    }

    /// The member whose worker has that number now; none where a later worker has taken its place.
    fn member_of<'m>(&self, members: &'m mut BTreeMap<String, Member>, id: u64) -> Option<&'m mut Member> {
        members.get_mut(self.alive.get(&id)?).filter(|member| member.worker_id() == Some(id))
    }

    fn failed(&self, members: &mut BTreeMap<String, Member>, id: u64, message: String, now: Instant) {
        if let Some(member) = self.member_of(members, id) {
            report::operator(&format!("{}: {message}", member.decky.name));
            if member.restarts == 0 {
                member.worker = Worker::Broken { reason: message };
            } else {
                member.ended(message, now);
            }
        }
    }

    fn start_again(&mut self, members: &mut BTreeMap<String, Member>, now: Instant) {
        report::operator("the zygote ended; starting it and every worker again");
        for member in members.values_mut() {
            member.ended("the zygote ended".to_owned(), now);
        }
        self.alive.clear();
        self.renew_zygote(now);
    }

    /// Starts a zygote in place of one that ended; what cannot be done now is tried again later.
    fn renew_zygote(&mut self, now: Instant) {
        self.again = None;
        self.zygote = match Zygote::start(&self.empty) {
            Ok(zygote) => Some(zygote),
            Err(error) => {
                report::operator(&error.to_string());
                self.again = Some(now + AGAIN);
                None
            }
        };
    }

    /// Ends the workers of deckies that are no members any more, and waits until they have let go of their
    /// ports: the next one on the same address needs them.
    pub(crate) fn end(
        &mut self,
        leaving: &[Member],
        members: &mut BTreeMap<String, Member>,
    ) -> Vec<Happening> {
        let ids: Vec<u64> = self
            .alive
            .iter()
            .filter(|(_, name)| leaving.iter().any(|member| member.decky.name == **name))
            .map(|(id, _)| *id)
            .collect();
        let mut happenings = Vec::new();
        for id in &ids {
            if let Some(zygote) = &self.zygote {
                // One that cannot be told has ended, and its workers with it.
                let _ = zygote.channel.send(&Order::End(*id), &[]);
            }
            // Hearing as we go keeps the way back from filling up.
            happenings.extend(self.attend(members, Instant::now()));
        }
        let until = Instant::now() + FAREWELL;
        while ids.iter().any(|id| self.alive.contains_key(id)) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                report::operator("workers that were ended do not go");
                break;
            }
            let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            let mut polled: Vec<PollFd<'_>> =
                self.sources().map(|source| PollFd::new(source, PollFlags::POLLIN)).collect();
            // An interruption is a reason to look again, as a message is.
            let _ = poll(&mut polled, timeout);
            drop(polled);
            happenings.extend(self.attend(members, Instant::now()));
        }
        happenings
    }

    /// The workers' process ids: in the zygote's namespace, and in ours.
    pub(crate) fn host_pids(&self) -> BTreeMap<i32, u32> {
        let Some(zygote) = self.zygote.as_ref().map(Zygote::pid) else { return BTreeMap::new() };
        let children =
            std::fs::read_to_string(format!("/proc/{zygote}/task/{zygote}/children")).unwrap_or_default();
        children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .filter_map(|pid: u32| {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
                let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
                Some((line.split_whitespace().last()?.parse().ok()?, pid))
            })
            .collect()
    }
}

/// Tells the operator what this kernel cannot do for the workers.
fn tell(confinement: super::super::sandbox::Confinement) {
    if !confinement.landlock {
        report::operator(
            "this kernel has no Landlock: workers are held by their empty read-only root and seccomp alone",
        );
    }
    if !confinement.own_user {
        report::operator(
            "in a user namespace all workers share one user: seccomp and dumpable keep them apart",
        );
    }
}
