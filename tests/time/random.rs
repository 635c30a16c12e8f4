//! Triggers at random, the same ones for the same seed.

use serde_json::{Value, json};

/// A stream of numbers that looks random.
pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from one to another, both included.
    pub fn within(&mut self, first: i64, last: i64) -> i64 {
        first + i64::try_from(self.number() % (last - first + 1).unsigned_abs()).expect("a small number")
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: i64) -> bool {
        self.within(1, times) == 1
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.within(0, from.len() as i64 - 1)).expect("an index")]
    }

    /// One to so many numbers as a list.
    pub fn list(&mut self, most: i64, first: i64, last: i64) -> String {
        let numbers: Vec<String> = (0..self.within(1, most)).map(|_| self.within(first, last).to_string()).collect();
        numbers.join(",")
    }

    pub fn zone(&mut self) -> &'static str {
        self.pick(&[
            "UTC",
            "UTC",
            "Africa/Cairo",
            "America/Havana",
            "America/New_York",
            "America/Nuuk",
            "America/Sao_Paulo",
            "Antarctica/Troll",
            "Asia/Beirut",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
            "Europe/Berlin",
            "Europe/London",
            "Pacific/Apia",
            "Pacific/Chatham",
        ])
    }

    /// The days of a cron text: of the month, the month, of the week.
    pub fn cron_days(&mut self) -> [String; 3] {
        let day = match self.within(0, 11) {
            0..=4 => "*".to_owned(),
            5 => "L".to_owned(),
            6 => format!("L-{}", self.within(0, 30)),
            7 => "LW".to_owned(),
            8 => format!("{}W", self.within(1, 31)),
            9 => format!("{},L-2,{}W", self.within(1, 31), self.within(1, 31)),
            _ => self.list(4, 1, 31),
        };
        let month = if self.once_in(4) { self.list(4, 1, 12) } else { "*".to_owned() };
        let weekday = match self.within(0, 9) {
            0..=4 => "*".to_owned(),
            5 => format!("{}#{}", self.within(0, 6), self.within(1, 5)),
            6 => format!("{}L", self.within(0, 6)),
            7 => format!("{},{}L,{}#1", self.within(0, 6), self.within(0, 6), self.within(0, 6)),
            _ => self.list(3, 0, 6),
        };
        [day, month, weekday]
    }

    /// A cron text, of anything from every second to some minutes a year.
    pub fn cron(&mut self) -> String {
        let [day, month, weekday] = if self.once_in(2) { ["*"; 3].map(str::to_owned) } else { self.cron_days() };
        let hour = match self.within(0, 5) {
            0 => "*".to_owned(),
            1 => format!("*/{}", self.within(1, 12)),
            2 => "0-4".to_owned(),
            _ => self.list(3, 0, 23),
        };
        let minute = match self.within(0, 5) {
            0 => "*".to_owned(),
            1 => format!("*/{}", self.within(1, 30)),
            2 => "30".to_owned(),
            _ => self.list(4, 0, 59),
        };
        let second = match self.within(0, 9) {
            0 => format!("*/{} ", self.within(1, 30)),
            1 => format!("{} ", self.list(2, 0, 59)),
            _ => String::new(),
        };
        format!("{second}{minute} {hour} {day} {month} {weekday}")
    }

    pub fn fields(&mut self) -> Value {
        let mut fields = json!({ "second": 0 });
        let mut set = |name: &str, value: String| fields[name] = json!(value);
        if self.once_in(4) {
            set("year", format!("2019/{}", self.within(1, 3)));
        }
        if self.once_in(3) {
            set("month", self.list(5, 1, 12));
        }
        if self.once_in(3) {
            let nth = self.pick(&["1st", "2nd", "3rd", "4th", "5th", "last"]);
            let weekday = self.pick(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
            let day = self.within(1, 31);
            let days =
                [format!("{nth} {weekday}"), format!("{day}"), format!("last,{day},{nth} {weekday}"), "*/3".to_owned()];
            set("day", days[usize::try_from(self.within(0, 3)).expect("an index")].clone());
        }
        if self.once_in(5) {
            set("week", self.list(20, 1, 53));
        }
        if self.once_in(3) {
            let first = self.within(0, 7);
            let last = self.within(0, 7);
            let weekdays = [format!("{first}-{last}"), "*/2".to_owned(), "mon-fri".to_owned(), self.list(3, 0, 7)];
            set("dayOfWeek", weekdays[usize::try_from(self.within(0, 3)).expect("an index")].clone());
        }
        if self.once_in(2) {
            set("hour", self.list(3, 0, 23));
        }
        set("minute", self.list(3, 0, 59));
        fields
    }

    pub fn calendar(&mut self) -> Value {
        let mut calendar = json!({});
        for (unit, most) in [("years", 3), ("months", 14), ("weeks", 5), ("days", 40)] {
            if self.once_in(3) {
                calendar[unit] = json!(self.within(1, most));
            }
        }
        if calendar.as_object().is_some_and(serde_json::Map::is_empty) {
            calendar["days"] = json!(self.within(1, 3));
        }
        let date = format!("{}-{:02}-{:02}", self.within(2008, 2020), self.within(1, 12), self.within(1, 28));
        calendar["startDate"] = json!(self.pick(&["2011-12-29", "2016-01-31", "2016-02-29", date.as_str()]));
        calendar["timeOfDay"] = json!(format!("{:02}:{:02}", self.within(0, 23), self.within(0, 3) * 15));
        calendar
    }

    /// An instant in a year or so, as a text.
    pub fn instant(&mut self) -> String {
        let hours = self.within(1_576_800_000 / 3_600, 1_640_000_000 / 3_600);
        let seconds = if self.once_in(3) { self.within(0, 3_599) } else { self.within(0, 3) * 900 };
        jiff::Timestamp::from_second(hours * 3_600 + seconds).expect("an instant").to_string()
    }

    /// A trigger that can stand in anyOf and allOf.
    pub fn simple(&mut self) -> Value {
        let mut trigger = match self.within(0, 9) {
            0 => json!({ "fields": self.fields() }),
            1 => json!({ "calendar": self.calendar() }),
            2 => json!({ "at": (0..self.within(1, 20)).map(|_| self.instant()).collect::<Vec<_>>() }),
            3..=5 => {
                let every = match self.within(0, 3) {
                    0 => format!("{}s", self.within(5, 400)),
                    1 => format!("{}m", self.within(1, 200)),
                    _ => format!("{}h", self.within(1, 60)),
                };
                json!({"interval": {"every": every, "startTime": format!("2018-12-31T{:02}:00:00Z", self.within(0, 23))}})
            }
            _ => json!({ "cron": self.cron() }),
        };
        if self.once_in(3) {
            trigger["timeZone"] = json!(self.zone());
        }
        if self.once_in(3) {
            trigger["daylightSaving"] = json!(self.pick(&["RunOnce", "WallClock"]));
        }
        if self.once_in(8) {
            trigger["notBefore"] = json!(self.instant());
        } else if self.once_in(8) {
            trigger["notAfter"] = json!(self.instant());
        }
        trigger
    }

    pub fn exclusions(&mut self) -> Value {
        let exclusions = (0..self.within(1, 4)).map(|index| {
            let mut exclusion = match self.within(0, 4) {
                0 => {
                    let dates = (0..self.within(1, 40)).map(|_| self.instant()[..10].to_owned());
                    json!({ "dates": dates.collect::<Vec<_>>() })
                }
                1 => {
                    let from: jiff::Timestamp = self.instant().parse().expect("an instant");
                    let length = [self.within(1, 300), self.within(1, 400_000), self.within(1, 6_000_000)];
                    let length = length[usize::try_from(self.within(0, 2)).expect("an index")];
                    let to = jiff::Timestamp::from_second(from.as_second() + length).expect("an instant");
                    json!({"from": from.to_string(), "to": to.to_string()})
                }
                2 => json!({ "cron": format!("* * * * {}", self.list(3, 0, 6)) }),
                3 => {
                    let [day, month, weekday] = self.cron_days();
                    json!({ "cron": format!("* {} {day} {month} {weekday}", self.list(3, 0, 23)) })
                }
                _ => json!({ "cron": format!("{} * * * {}", self.list(30, 0, 59), self.list(3, 0, 6)) }),
            };
            exclusion["name"] = json!(format!("exclusion-{index}"));
            exclusion
        });
        exclusions.collect()
    }
}
