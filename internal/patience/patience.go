// Package patience defines how long tests wait for what has to happen.
//
// A test waits for events, not for a time; the limit only keeps one that never
// comes from hanging the run. It is so long that a healthy run does not reach
// it, however busy the machine is.
package patience

import (
	"os"
	"strconv"
	"time"
)

// variable multiplies the limits: WEIR_PATIENCE=5 for a very slow machine.
const variable = "WEIR_PATIENCE"

var scale = parse(os.Getenv(variable))

// Limit is how long a test waits for an event: a minute.
var Limit = Scaled(time.Minute)

// Scaled returns d, scaled as Limit is: for time limits of the tested program
// that must pass, but not before the test has reached the point in question.
func Scaled(d time.Duration) time.Duration { return time.Duration(scale * float64(d)) }

func parse(s string) float64 {
	if s == "" {
		return 1
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(0.01 <= n && n <= 100) {
		panic(variable + "=" + s + ": want a factor from 0.01 to 100")
	}
	return n
}
