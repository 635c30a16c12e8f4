package main

import (
	"math/rand"
	"strconv"
	"strings"
	"time"
)

// zones are those whose clocks are changed in unlike ways, and two without changes.
var zones = []string{
	"UTC", "UTC", "Asia/Kathmandu",
	"Africa/Cairo", "America/Havana", "America/New_York", "America/Nuuk", "America/Santiago", "America/Sao_Paulo",
	"America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Tehran", "Australia/Lord_Howe", "Australia/Sydney",
	"Europe/Berlin", "Europe/Dublin", "Europe/London", "Pacific/Apia", "Pacific/Chatham",
}

// source makes texts and instants at random, odd ones more often than people would.
type source struct{ *rand.Rand }

// kind is one of the five fields.
type kind struct {
	first, last int
	names       []string
}

var kinds = []kind{
	{0, 59, nil},
	{0, 23, nil},
	{1, 31, nil},
	{1, 12, []string{"jan", "FEB", "Mar", "apr", "may", "JUN", "jul", "aug", "sep", "oct", "nov", "DEC"}},
	{0, 6, []string{"sun", "MON", "Tue", "wed", "thu", "FRI", "sat"}},
}

func (r source) pick(from ...string) string { return from[r.Intn(len(from))] }

// text is a cron text: mostly five fields.
func (r source) text() string {
	switch chance := r.Intn(200); {
	case chance < 3:
		return r.pick(
			"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@reboot", "@Daily",
			" @daily", "@daily ", "@", "", " ", "@every", "@everyday", "*", "* *", "* * * * * * *", "\t*\n* * *  * ",
			"*\u00a0* * * *", "*\u3000*\u2003*\u0085*\v*", "*\u200b* * * *", "0 0 30 2 *", "0 0 31 2,4,6,9,11 *",
			"0 0 31 4 ?", "0 0 30 2 1", "0 0 29 2 */7", "0 0 29 2 *",
		)
	case chance < 8:
		return "@every " + r.length()
	case chance < 10:
		return r.pick("TZ=UTC ", "CRON_TZ=Asia/Tokyo ", "TZ=Nope ") + "* * * * *"
	case chance < 60:
		return r.everyday()
	}
	fields := len(kinds)
	if r.Intn(60) == 0 {
		fields = r.pickNumber(0, 1, 2, 3, 4, 7)
	}
	var texts []string
	for i := 0; i < fields; i++ {
		texts = append(texts, r.field(kinds[i%len(kinds)]))
	}
	return strings.Join(texts, r.pick(" ", " ", " ", " ", "  ", "\t"))
}

// everyday is a text as people write it, about the hours at which clocks are changed.
func (r source) everyday() string {
	minute := r.pick("0", "15", "30", "59", "1", "*/15", "*/5", "*", "0,30")
	hour := r.pick("0", "1", "2", "3", "23", "*", "*/2", "*/6", "0-3", "1,2", "9-17")
	day := r.pick("*", "*", "*", "*", "1", "15", "31", "28-31")
	month := r.pick("*", "*", "*", "*", "1", "3", "10", "3,4,9,10,11")
	weekday := r.pick("*", "*", "*", "0", "1-5", "6", "SUN", "0,6")
	return strings.Join([]string{minute, hour, day, month, weekday}, " ")
}

func (r source) pickNumber(from ...int) int { return from[r.Intn(len(from))] }

func (r source) field(k kind) string {
	if r.Intn(3) == 0 {
		return "*"
	}
	elements := []string{r.element(k)}
	for r.Intn(4) == 0 {
		elements = append(elements, r.element(k))
	}
	list := strings.Join(elements, ",")
	if r.Intn(150) == 0 {
		list = r.pick(","+list, list+",", list+",,"+list, ",")
	}
	return list
}

func (r source) element(k kind) string {
	var text string
	switch chance := r.Intn(100); {
	case chance < 25:
		text = "*"
	case chance < 30:
		text = "?"
	case chance < 31:
		text = "*-" + r.number(k)
	case chance < 32:
		text = r.number(k) + "-*"
	case chance < 33:
		text = r.number(k) + "-" + r.number(k) + "-" + r.number(k)
	case chance < 60:
		first, last := r.number(k), r.number(k)
		if a, _ := strconv.Atoi(first); r.Intn(8) != 0 {
			if b, err := strconv.Atoi(last); err == nil && a > b {
				first, last = last, first
			}
		}
		text = first + "-" + last
	default:
		text = r.number(k)
	}
	if r.Intn(4) == 0 {
		text += "/" + r.pick("1", "2", "2", "3", "4", "5", "6", "7", "10", "15", "20", "30", "60", "0", "-1", "", "x",
			"9223372036854775807", "+2", "01", "2/3")
	}
	return text
}

func (r source) number(k kind) string {
	within := k.first + r.Intn(k.last-k.first+1)
	switch chance := r.Intn(100); {
	case chance < 3:
		return strconv.Itoa(k.last + 1 + r.Intn(3))
	case chance < 4:
		return strconv.Itoa(k.first - 1)
	case chance < 5:
		return "0" + strconv.Itoa(within)
	case chance < 6:
		return "+" + strconv.Itoa(within)
	case chance < 7:
		return r.pick("", "x", "1.5", "99999999999999999999", "9223372036854775807", "é", "7", "monday", "１")
	case chance < 30 && k.names != nil:
		return k.names[within-k.first]
	}
	return strconv.Itoa(within)
}

// length is what may stand after "@every".
func (r source) length() string {
	text := r.pick("", "", "", "", "", "", "-", "+")
	for parts := 1 + r.Intn(3); parts > 0; parts-- {
		text += r.pick("1", "5", "90", "1.5", "0.5", ".5", "3.", "2.25", "0", "1000", "60", "")
		text += r.pick("h", "m", "s", "h", "m", "s", "ms", "us", "µs", "ns", "d", "", "H")
	}
	return text
}

// instant is one between 2012 and 2032, mostly near a change of the clocks.
func (r source) instant(zone *time.Location) time.Time {
	const first, last = 1_325_376_000, 1_956_528_000
	at := time.Unix(first+r.Int63n(last-first), 0).In(zone)
	if _, end := at.ZoneBounds(); r.Intn(4) != 0 && !end.IsZero() && end.Unix() < last {
		at = end.Add(time.Duration(r.Intn(4*86_400)-3*86_400) * time.Second)
	}
	return at
}
