use proptest::prelude::*;
use protocol::OwnedArgs;

use super::rules::RuleError;
use super::*;
use crate::command::dispatch;
use crate::command::table::CommandTable;
use crate::config;

/// A user made of rules, all of which are right.
fn user(rules: &str) -> User {
    let mut user = User::new(b"bob", 0, false);
    for rule in join_selectors(rules.split(' ').map(str::as_bytes)).expect("the parentheses match") {
        assert_eq!(user.apply(&rule, false), Ok(()), "{}", String::from_utf8_lossy(&rule));
    }
    user
}

fn text(user: &User) -> String {
    String::from_utf8(user.describe()).expect("ASCII")
}

/// What is denied of a call.
fn denial(user: &User, call: &str) -> Option<(Reason, usize)> {
    let args: OwnedArgs = call.split(' ').collect();
    let command = dispatch::find(CommandTable::declared(), args.as_args()).expect("the command exists");
    check(user, command, args.as_args()).err().map(|denial| (denial.reason, denial.index))
}

fn error(rules: &str) -> Option<RuleError> {
    let mut user = User::new(b"bob", 0, false);
    let rules = join_selectors(rules.split(' ').map(str::as_bytes)).expect("the parentheses match");
    rules.iter().find_map(|rule| user.apply(rule, false).err())
}

#[test]
fn rules_are_kept_as_long_as_they_count() {
    let cases = [
        ("", "off sanitize-payload resetchannels -@all"),
        ("on nopass ~* &* +@all", "on nopass sanitize-payload ~* &* +@all"),
        ("+get +@string -GET +@String", "off sanitize-payload resetchannels -@all -get +@string"),
        ("+config|get -config", "off sanitize-payload resetchannels -@all -config"),
        ("-config +config|get +config|set", "off sanitize-payload resetchannels -@all -config +config|get +config|set"),
        ("+@all -@dangerous +keys", "off sanitize-payload resetchannels +@all -@dangerous +keys"),
        ("+get +@all -@all", "off sanitize-payload resetchannels -@all"),
        ("+getex +get -get", "off sanitize-payload resetchannels -@all +getex -get"),
        ("%R~a %w~a %RW~b %R~c", "off sanitize-payload ~a ~b %R~c resetchannels -@all"),
        ("~x allkeys resetkeys ~y &a &b &a", "off sanitize-payload ~y resetchannels &a &b -@all"),
        (
            "(~a +get) ( +set )",
            "off sanitize-payload resetchannels -@all (~a resetchannels -@all +get) (resetchannels -@all +set)",
        ),
        ("(+get) clearselectors skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all"),
        ("on ~* +@all (+get) reset", "off sanitize-payload resetchannels -@all"),
    ];
    for (rules, described) in cases {
        assert_eq!(text(&user(rules)), described, "{rules}");
    }
}

#[test]
fn wrong_rules_are_told_apart() {
    let cases = [
        ("bogus", RuleError::Syntax),
        ("%~x", RuleError::Syntax),
        ("%RR~x", RuleError::Syntax),
        ("~a\tb", RuleError::Syntax),
        ("+select|", RuleError::Syntax),
        ("(on)", RuleError::Syntax),
        // Could not be read again from a file.
        ("(~\"a\\\"b\")", RuleError::Syntax),
        ("+echo|a\tb", RuleError::Syntax),
        ("(+get (+set))", RuleError::Syntax),
        ("+nope", RuleError::Unknown),
        ("-select|0", RuleError::Unknown),
        ("+config|nope", RuleError::Unknown),
        ("+@nope", RuleError::Unknown),
        ("+config|get|x", RuleError::FirstArgOfSubcommand),
        ("~* ~x", RuleError::AllKeys),
        ("&* &x", RuleError::AllChannels),
        ("<x", RuleError::NoSuchPassword),
        ("#abc", RuleError::NotAHash),
    ];
    for (rules, expected) in cases {
        assert_eq!(error(rules), Some(expected), "{rules}");
    }
    let mut user = User::new(b"bob", 0, false);
    assert_eq!(user.apply(b"(~a) ~b)", false), Err(RuleError::Syntax), "a file would end the selector at the first");
}

#[test]
fn a_call_needs_one_selector_that_allows_all_of_it() {
    let user = user("on +@all -config -@scripting ~a* %R~r* %W~w* &c* (%R~s +strlen) +select|0 -del +config|get");
    let cases = [
        ("get a1", None),
        ("get b", Some((Reason::Key, 1))),
        ("get r", None),
        ("set r 1", Some((Reason::Key, 1))),
        ("set w 1", None),
        ("set w 1 get", Some((Reason::Key, 1))),
        ("mset a 1 b 2", Some((Reason::Key, 3))),
        ("copy r w", None),
        ("copy w r", Some((Reason::Key, 1))),
        ("strlen s", None),
        ("getrange s 0 1", Some((Reason::Key, 1))),
        ("config get x", None),
        ("config set x y", Some((Reason::Command, 0))),
        ("del a", Some((Reason::Command, 0))),
        ("auth x", None),
    ];
    for (call, expected) in cases {
        assert_eq!(denial(&user, call), expected, "{call}");
    }
}

#[test]
fn first_arguments_open_a_closed_command() {
    let user = user("-@all +select|0 +select|1");
    assert_eq!(denial(&user, "select 1"), None);
    assert_eq!(denial(&user, "select 2"), Some((Reason::Command, 0)));
    let user = self::user("+select|0 -select +echo|A");
    assert_eq!(denial(&user, "select 0"), Some((Reason::Command, 0)));
    assert_eq!(denial(&user, "echo a"), None);
}

#[test]
fn patterns_of_channels_must_be_allowed_as_they_are() {
    let user = user("&news:* &x (&other)");
    let may_use = |channel: &str, how| may_use_channel(&user, channel.as_bytes(), how);
    assert!(may_use("news:a", ChannelUse::Literal) && may_use("x", ChannelUse::Literal));
    assert!(may_use("other", ChannelUse::Literal) && !may_use("y", ChannelUse::Literal));
    assert!(may_use("news:*", ChannelUse::Pattern) && may_use("x", ChannelUse::Pattern));
    assert!(!may_use("news:a*", ChannelUse::Pattern) && !may_use("*", ChannelUse::Pattern));
    assert!(may_use_channel(&self::user("allchannels"), b"*", ChannelUse::Pattern));
}

#[test]
fn channels_are_kept_with_their_patterns() {
    let cases = [
        ("&a", "&a &b", true),
        ("&a (&b)", "&b (&a)", true),
        ("&a &b", "&a", false),
        ("&a", "&*", true),
        ("(&*)", "&a", false),
        ("&*", "(allchannels)", true),
        ("+get", "-@all", true),
    ];
    for (before, now, kept) in cases {
        assert_eq!(check::keeps_channels(&user(before), &user(now)), kept, "{before} {now}");
    }
}

#[test]
fn only_who_may_do_everything_is_unrestricted() {
    assert!(user("~* &* +@all").is_unrestricted());
    assert!(user("(~* &* +@all)").is_unrestricted());
    for rules in ["~* +@all", "~* &* +@all -get", "&* +@all %RW~*", "~* &* +@all -get +get", "(~* &*) (+@all)"] {
        assert!(!user(rules).is_unrestricted(), "{rules}");
    }
}

#[test]
fn sessions_follow_their_users() {
    let (acl, config) = (Acl::new(), Config::new());
    let set = |name: &str, rules: &[&[u8]]| acl.set_user(name.as_bytes(), rules, &config);
    let mut session = acl.newcomer();
    assert!(acl.is_free(&session));
    set("bob", &[b"on", b">x", b"~*", b"&*", b"+@all"]).expect("the rules are right");
    assert!(!acl.is_free(&session), "something changed");
    assert_eq!(acl.refresh(&mut session), Ok(()));
    assert!(acl.is_free(&session));

    assert!(acl.log_in(b"bob", b"y").is_none() && acl.log_in(b"nobody", b"x").is_none());
    let mut bob = acl.log_in(b"bob", b"x").expect("the password is right");
    assert!(acl.is_free(&bob));
    let text = b"Error in ACL SETUSER modifier '+nope': Unknown command or category name in ACL".to_vec();
    assert_eq!(set("bob", &[b"-get", b"+nope"]), Err(text));
    assert!(acl.is_free(&bob), "all or nothing");
    set("bob", &[b"-get"]).expect("the rule is right");
    assert_eq!(acl.refresh(&mut bob), Ok(()));
    assert!(!acl.is_free(&bob));

    acl.delete_user(b"bob");
    set("bob", &[b"on", b"nopass"]).expect("the rules are right");
    assert_eq!(acl.refresh(&mut bob), Err(UserGone), "another one of that name");

    acl.set_default_password(b"secret");
    assert!(acl.refresh(&mut session).is_ok());
    assert!(!session.needs_login(), "who was in stays in");
    let mut stranger = acl.newcomer();
    assert!(stranger.needs_login() && !acl.is_free(&stranger));
    acl.set_default_password(b"");
    assert!(acl.refresh(&mut stranger).is_ok());
    assert!(!stranger.needs_login() && acl.is_free(&stranger));
}

/// Rules that are right as often as not.
fn rule() -> impl Strategy<Value = Vec<u8>> {
    let names = ["get", "config", "config|get", "select|0", "select|x", "@all", "@read", "@dangerous", "nope", "acl|"];
    let name = prop::sample::select(names.to_vec());
    let selector =
        prop::collection::vec((prop::sample::select(vec!["+", "-", "~", "%R~", "%w~", "&"]), name.clone()), 0..4)
            .prop_map(|parts| {
                format!("({})", parts.iter().map(|(a, b)| format!("{a}{b}")).collect::<Vec<_>>().join(" "))
            });
    let words = [
        "on",
        "off",
        "nopass",
        "reset",
        "resetkeys",
        "allkeys",
        "~*",
        "&*",
        "allcommands",
        "clearselectors",
        "resetpass",
        "",
        ">x",
        "<x",
        "(",
        ")",
        "%",
        "#0",
    ];
    prop_oneof![
        4 => (prop::sample::select(vec!["+", "-"]), name).prop_map(|(sign, name)| format!("{sign}{name}").into_bytes()),
        1 => "\\([~&+%a-cR()\"' ]{0,8}\\)".prop_map(String::into_bytes),
        2 => "(~|%R~|%W~|%RW~|%|&)[a-c*?\"'(\\\\) ]{0,4}".prop_map(String::into_bytes),
        2 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        2 => selector.prop_map(String::into_bytes),
        1 => "[()+~%&@|#><!]{1,3}[ -~]{0,6}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ]
}

proptest! {
    #[test]
    fn what_is_described_makes_the_same_user_again(rules in prop::collection::vec(rule(), 0..12)) {
        let mut user = User::new(b"bob", 0, false);
        for rule in &rules {
            let before = user.clone();
            let mut after = user.clone();
            // What is wrong is not taken over, as in ACL SETUSER.
            user = if after.apply(rule, false).is_ok() { after } else { before };
        }
        let described = user.describe();
        let mut again = User::new(b"bob", 0, false);
        let words = join_selectors(described.split(|&byte| byte == b' ')).expect("own words are right");
        for rule in words {
            prop_assert_eq!(again.apply(&rule, false), Ok(()), "{}", rule.escape_ascii());
        }
        prop_assert_eq!(&again.describe(), &described);
        let words = config::split_words(&user.quoted_declaration()).expect("the quotes match");
        let mut configured = User::new(b"bob", 0, false);
        for rule in join_selectors(words.iter().skip(1).map(Vec::as_slice)).expect("own words are right") {
            prop_assert_eq!(configured.apply(&rule, false), Ok(()), "{}", rule.escape_ascii());
        }
        prop_assert_eq!(configured.describe(), described);
        for command in CommandTable::declared().iter_all() {
            let call: OwnedArgs = ["x", "0", "a", "b"].into_iter().collect();
            prop_assert_eq!(check(&user, command, call.as_args()), check(&again, command, call.as_args()));
        }
    }

    #[test]
    fn joining_never_panics(words in prop::collection::vec("[()a ]{0,3}", 0..8)) {
        let _ = join_selectors(words.iter().map(String::as_bytes));
    }
}
