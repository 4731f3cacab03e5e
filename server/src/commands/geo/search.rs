//! Looking for places around a place.

use protocol::Args;
use storage::listpack::Item;
use storage::zset::{Zset, ZsetRef};
use storage::{Event, Free, PackLimits};

use super::area::{Area, Shape};
use super::cell::Position;
use super::points::{parse_position, parse_unit, position_of, reply_distance, reply_position};
use crate::command::keys::{KeyAt, KeysAt};
use crate::command::{CommandResult, Context, Error, KeyFlags};
use crate::commands::elements::reply_item;
use crate::commands::zsets::bounds::parse_score;
use crate::commands::zsets::from_unsorted;
use crate::set;

/// Which command is being carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// GEORADIUS: around the place at 2.
    Place,
    /// GEORADIUSBYMEMBER: around the member at 2.
    Member,
    /// GEOSEARCH: options say all.
    Search,
    /// GEOSEARCHSTORE: the destination at 1 comes before the key.
    SearchStore,
}

impl Kind {
    fn is_search(self) -> bool {
        matches!(self, Kind::Search | Kind::SearchStore)
    }
}

/// How the middle of the area is given.
#[derive(Clone, Copy)]
enum Center {
    Place(Position),
    Member(Position),
}

#[derive(Clone, Copy)]
enum Order {
    Nearest,
    Farthest,
}

/// What a call asks for.
struct Query<'a> {
    args: Args<'a>,
    kind: Kind,
    may_store: bool,
    center: Option<Center>,
    shape: Option<Shape>,
    /// Metres in a unit of the shape and of the distances in the reply.
    unit: f64,
    order: Option<Order>,
    /// As many results at most.
    count: Option<usize>,
    /// Any results will do, not just the nearest.
    any: bool,
    with_distance: bool,
    with_hash: bool,
    with_position: bool,
    /// The argument that is the key to store the result under.
    store: Option<usize>,
    store_distances: bool,
}

impl<'a> Query<'a> {
    /// Reads the arguments. A member is looked up in `zset`; where that is missing there is nothing to find, wherever
    /// the middle of the area is.
    fn parse(args: Args<'a>, kind: Kind, may_store: bool, zset: Option<ZsetRef<'_>>) -> Result<Query<'a>, Error> {
        let mut query = Query {
            args,
            kind,
            may_store,
            center: None,
            shape: None,
            unit: 1.0,
            order: None,
            count: None,
            any: false,
            with_distance: false,
            with_hash: false,
            with_position: false,
            store: (kind == Kind::SearchStore).then_some(1),
            store_distances: false,
        };
        let mut index = match kind {
            Kind::Place => {
                query.center = Some(Center::Place(parse_position(args, 2)?));
                query.take_radius(4)?;
                6
            }
            Kind::Member => {
                query.take_member(2, zset)?;
                if zset.is_some() {
                    query.take_radius(3)?;
                }
                5
            }
            Kind::Search => 2,
            Kind::SearchStore => 3,
        };
        while index < args.len() {
            index += query.take_option(index, zset)?;
        }
        query.check()?;
        Ok(query)
    }

    /// Reads the option at `index`. Returns the number of its arguments.
    fn take_option(&mut self, index: usize, zset: Option<ZsetRef<'_>>) -> Result<usize, Error> {
        let (args, searches) = (self.args, self.kind.is_search());
        let behind = args.len() - index - 1;
        match args[index].to_ascii_lowercase().as_slice() {
            b"withdist" => self.with_distance = true,
            b"withhash" => self.with_hash = true,
            b"withcoord" => self.with_position = true,
            b"any" => self.any = true,
            b"asc" => self.order = Some(Order::Nearest),
            b"desc" => self.order = Some(Order::Farthest),
            b"storedist" if self.kind == Kind::SearchStore => self.store_distances = true,
            option @ (b"store" | b"storedist") if behind >= 1 && !searches && self.may_store => {
                self.store = Some(index + 1);
                self.store_distances = option == b"storedist";
                return Ok(2);
            }
            b"count" if behind >= 1 => {
                let count = protocol::parse_i64(&args[index + 1]).ok_or(Error::NOT_AN_INTEGER)?;
                if count <= 0 {
                    return Err(Error::fixed("ERR COUNT must be > 0"));
                }
                self.count = Some(usize::try_from(count).unwrap_or(usize::MAX));
                return Ok(2);
            }
            b"frommember" if behind >= 1 && searches && !matches!(self.center, Some(Center::Place(_))) => {
                self.take_member(index + 1, zset)?;
                return Ok(2);
            }
            b"fromlonlat" if behind >= 2 && searches && !matches!(self.center, Some(Center::Member(_))) => {
                self.center = Some(Center::Place(parse_position(args, index + 1)?));
                return Ok(3);
            }
            b"byradius" if behind >= 2 && searches && !matches!(self.shape, Some(Shape::Box { .. })) => {
                self.take_radius(index + 1)?;
                return Ok(3);
            }
            b"bybox" if behind >= 3 && searches && !matches!(self.shape, Some(Shape::Circle { .. })) => {
                self.take_box(index + 1)?;
                return Ok(4);
            }
            _ => return Err(Error::SYNTAX),
        }
        Ok(1)
    }

    fn length_at(&self, index: usize, error: &'static str) -> Result<f64, Error> {
        parse_score(self.args.get(index).unwrap_or_default()).ok_or(Error::fixed(error))
    }

    fn take_unit(&mut self, index: usize) -> Result<(), Error> {
        self.unit = parse_unit(self.args.get(index).unwrap_or_default())?;
        Ok(())
    }

    fn take_radius(&mut self, index: usize) -> Result<(), Error> {
        let radius = self.length_at(index, "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(Error::fixed("ERR radius cannot be negative"));
        }
        self.shape = Some(Shape::Circle { radius });
        self.take_unit(index + 1)
    }

    fn take_box(&mut self, index: usize) -> Result<(), Error> {
        let width = self.length_at(index, "ERR need numeric width")?;
        let height = self.length_at(index + 1, "ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err(Error::fixed("ERR height or width cannot be negative"));
        }
        self.shape = Some(Shape::Box { width, height });
        self.take_unit(index + 2)
    }

    fn take_member(&mut self, index: usize, zset: Option<ZsetRef<'_>>) -> Result<(), Error> {
        let member = self.args.get(index).unwrap_or_default();
        let position = match zset {
            Some(zset) => position_of(zset, member),
            None => Some(Position { longitude: 0.0, latitude: 0.0 }),
        };
        let unknown = Error::fixed("ERR could not decode requested zset member");
        self.center = Some(Center::Member(position.ok_or(unknown)?));
        Ok(())
    }

    /// Whether the arguments fit together.
    fn check(&self) -> Result<(), Error> {
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_position) {
            let what = if self.kind == Kind::SearchStore { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            let text = format!("ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
            return Err(Error::new(text));
        }
        let one_of = |these: &str| {
            let before = format!("ERR exactly one of {these} can be specified for ");
            Err(Error::quoting(&before, &self.args[0], ""))
        };
        if self.kind.is_search() && self.center.is_none() {
            return one_of("FROMMEMBER or FROMLONLAT");
        }
        if self.kind.is_search() && self.shape.is_none() {
            return one_of("BYRADIUS and BYBOX");
        }
        if self.any && self.count.is_none() {
            return Err(Error::fixed("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// The places to answer with, in their order.
    fn find<'z>(&self, zset: ZsetRef<'z>) -> Vec<Found<'z>> {
        let (Some(Center::Place(center) | Center::Member(center)), Some(shape)) = (self.center, self.shape) else {
            return Vec::new();
        };
        let area = Area { center, shape, unit: self.unit };
        let enough = self.count.filter(|_| self.any).unwrap_or(usize::MAX);
        let mut found = look_into(zset, &area, enough);
        let order = match (self.order, self.count) {
            // The first ones of no order would be no use.
            (None, Some(_)) if !self.any => Some(Order::Nearest),
            (order, _) => order,
        };
        let count = self.count.unwrap_or(usize::MAX);
        if let Some(order) = order {
            sort_first(&mut found, order, count);
        }
        found.truncate(count);
        found
    }
}

/// A place that lies in an area.
struct Found<'z> {
    member: Item<'z>,
    score: f64,
    position: Position,
    /// Metres from the middle of the area.
    distance: f64,
}

fn look_into<'z>(zset: ZsetRef<'z>, area: &Area, enough: usize) -> Vec<Found<'z>> {
    let mut found = Vec::new();
    for cell in area.cells() {
        let (first, behind) = cell.scores();
        let rank = zset.partition_point(|score, _| score < first as f64);
        for (member, score) in zset.iter_from(rank).take_while(|(_, score)| *score < behind as f64) {
            let position = Position::of_score(score);
            if let Some(distance) = area.distance_within(position) {
                found.push(Found { member, score, position, distance });
                if found.len() >= enough {
                    return found;
                }
            }
        }
    }
    found
}

/// Puts the first `count` places of an order in front, sorted. Those of one distance keep their order.
fn sort_first(found: &mut Vec<Found<'_>>, order: Order, count: usize) {
    let compare = |one: &Found<'_>, other: &Found<'_>| match order {
        Order::Nearest => one.distance.total_cmp(&other.distance),
        Order::Farthest => other.distance.total_cmp(&one.distance),
    };
    if count < found.len() {
        let mut numbered: Vec<(usize, Found<'_>)> = found.drain(..).enumerate().collect();
        numbered.select_nth_unstable_by(count, |(number, one), (other_number, other)| {
            compare(one, other).then(number.cmp(other_number))
        });
        numbered.truncate(count);
        numbered.sort_unstable_by_key(|(number, _)| *number);
        found.extend(numbered.into_iter().map(|(_, place)| place));
    }
    found.sort_by(compare);
}

fn search(cx: &mut Context<'_>, kind: Kind, may_store: bool) -> CommandResult {
    let (source, limits) = (cx.key(if kind == Kind::SearchStore { 2 } else { 1 }), cx.server.zset_limits());
    let zset = match cx.db.read(&source) {
        Some(entry) => Some(entry.get::<Zset>()?),
        None => None,
    };
    let query = Query::parse(cx.args, kind, may_store, zset)?;
    let found = zset.map(|zset| query.find(zset)).unwrap_or_default();
    let Some(store) = query.store else {
        let extras = [query.with_distance, query.with_hash, query.with_position].into_iter().filter(|with| *with);
        let extras = extras.count();
        cx.reply.array(found.len());
        for place in found {
            if extras > 0 {
                cx.reply.array(1 + extras);
            }
            reply_item(cx.reply, place.member);
            if query.with_distance {
                reply_distance(cx.reply, place.distance / query.unit);
            }
            if query.with_hash {
                cx.reply.integer(place.score as i64);
            }
            if query.with_position {
                reply_position(cx.reply, place.position);
            }
        }
        return Ok(());
    };
    let count = found.len();
    let result = collect(&found, &query, limits)?;
    let destination = cx.key(store);
    if count == 0 {
        cx.db.remove(&destination, Free::Later, Event::DEL);
    } else {
        let event = if kind.is_search() { Event::GEOSEARCHSTORE } else { Event::GEORADIUSSTORE };
        cx.db.store(&destination, result, event, count);
    }
    cx.reply.integer(count as i64);
    Ok(())
}

/// The places as a sorted set of their own.
fn collect(found: &[Found<'_>], query: &Query<'_>, limits: PackLimits) -> Result<Zset, Error> {
    let score = |place: &Found<'_>| if query.store_distances { place.distance / query.unit } else { place.score };
    let elements = found.iter().map(|place| (place.member, score(place)));
    from_unsorted(elements.collect(), limits)
}

pub(super) fn georadius(cx: &mut Context<'_>) -> CommandResult {
    search(cx, Kind::Place, true)
}

pub(super) fn georadius_ro(cx: &mut Context<'_>) -> CommandResult {
    search(cx, Kind::Place, false)
}

pub(super) fn georadiusbymember(cx: &mut Context<'_>) -> CommandResult {
    search(cx, Kind::Member, true)
}

pub(super) fn georadiusbymember_ro(cx: &mut Context<'_>) -> CommandResult {
    search(cx, Kind::Member, false)
}

pub(super) fn geosearch(cx: &mut Context<'_>) -> CommandResult {
    search(cx, Kind::Search, false)
}

pub(super) fn geosearchstore(cx: &mut Context<'_>) -> CommandResult {
    search(cx, Kind::SearchStore, false)
}

/// The keys of GEORADIUS and GEORADIUSBYMEMBER: of several destinations the last one counts.
pub(super) fn find_keys(args: Args<'_>) -> KeysAt {
    let mut keys = KeysAt::from_slice(&[KeyAt { index: 1, flags: set!(KeyFlags: RO | ACCESS) }]);
    let (mut index, mut store) = (5, None);
    while index + 1 < args.len() {
        if args[index].eq_ignore_ascii_case(b"store") || args[index].eq_ignore_ascii_case(b"storedist") {
            index += 1;
            store = Some(index);
        }
        index += 1;
    }
    keys.extend(store.map(|index| KeyAt { index, flags: set!(KeyFlags: OW | UPDATE) }));
    keys
}
