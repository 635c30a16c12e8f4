// Command robfig says what the cron library of the Kubernetes CronJob makes of texts at random, one
// JSON object a line; or, as "robfig bench", how long it takes.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"log"
	"math/rand"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // never the data of the host

	"github.com/robfig/cron/v3"
)

// answer is what is written for one text.
type answer struct {
	Text string `json:"text"`
	Zone string `json:"zone"`
	// Error is empty if the text was understood.
	Error string `json:"error"`
	// Every is set for "@every", in seconds.
	Every int64 `json:"every"`
	// Sets are the minutes, hours, days, months and weekdays it was understood as.
	Sets []uint64 `json:"sets"`
	// Asked are instants, and Next the first one named after each; 0 for none.
	Asked []int64 `json:"asked"`
	Next  []int64 `json:"next"`
}

// asks is how many instants are asked for, each but the first being the answer to the one before.
const asks = 4

func main() {
	log.SetFlags(0)
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		bench(os.Args[2:])
		return
	}
	cases := flag.Int("cases", 20_000, "how many texts")
	seed := flag.Int64("seed", 1, "where the random numbers start")
	flag.Parse()
	random := source{rand.New(rand.NewSource(*seed))}
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for i := 0; i < *cases; i++ {
		if err := encoder.Encode(ask(random)); err != nil {
			log.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

func ask(random source) answer {
	a := answer{Text: random.text(), Zone: random.pick(zones...), Sets: []uint64{}, Asked: []int64{}, Next: []int64{}}
	schedule, err := cron.ParseStandard(a.Text)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	switch schedule := schedule.(type) {
	case cron.ConstantDelaySchedule:
		a.Every = int64(schedule.Delay / time.Second)
	case *cron.SpecSchedule:
		a.Sets = []uint64{schedule.Minute, schedule.Hour, schedule.Dom, schedule.Month, schedule.Dow}
		if strings.Contains(a.Text, "TZ=") || isEmpty(a.Sets) {
			break // refused by design; and a set without a number takes this library very long
		}
		schedule.Location = location(a.Zone)
		at := random.instant(schedule.Location)
		for i := 0; i < asks && !at.IsZero(); i++ {
			a.Asked = append(a.Asked, at.Unix())
			at = schedule.Next(at)
			if at.IsZero() {
				a.Next = append(a.Next, 0)
			} else {
				a.Next = append(a.Next, at.Unix())
			}
		}
	}
	return a
}

// isEmpty tells whether a set has no number. Its highest bit is not one: it says that a star was
// written.
func isEmpty(sets []uint64) bool {
	for _, set := range sets {
		if set<<1 == 0 {
			return true
		}
	}
	return false
}

func location(zone string) *time.Location {
	loaded, err := time.LoadLocation(zone)
	if err != nil {
		log.Fatal(err)
	}
	return loaded
}
