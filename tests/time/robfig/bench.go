package main

import (
	"encoding/json"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/robfig/cron/v3"
)

// bench measures "next" for each text and zone of its arguments: start, calls, then pairs. Each try
// goes from slot to slot; the fastest one counts.
func bench(arguments []string) {
	if len(arguments) < 2 || len(arguments)%2 != 0 {
		log.Fatal("expected a start in seconds since 1970, a number of calls, and pairs of text and zone")
	}
	start, err := strconv.ParseInt(arguments[0], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	calls, err := strconv.Atoi(arguments[1])
	if err != nil {
		log.Fatal(err)
	}
	nanoseconds := []float64{}
	for pairs := arguments[2:]; len(pairs) > 0; pairs = pairs[2:] {
		schedule, err := cron.ParseStandard(pairs[0])
		if err != nil {
			log.Fatal(err)
		}
		first := time.Unix(start, 0).In(location(pairs[1]))
		best := time.Duration(1<<63 - 1)
		for try := 0; try < 20; try++ {
			at, began := first, time.Now()
			for i := 0; i < calls; i++ {
				if at = schedule.Next(at); at.IsZero() {
					at = first
				}
			}
			best = min(best, time.Since(began))
		}
		nanoseconds = append(nanoseconds, float64(best)/float64(calls))
	}
	if err := json.NewEncoder(os.Stdout).Encode(nanoseconds); err != nil {
		log.Fatal(err)
	}
}
