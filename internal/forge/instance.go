package forge

import (
	"net/http"
	"time"
)

// Instance is the forge that answers.
type Instance struct {
	Version    string        // empty when it does not say
	Ahead      time.Duration // of its clock before ours, to the second
	ClockKnown bool          // it said what time it is
}

// Instance is who sent an answer with that header.
func (c Connection) Instance(version string, header http.Header) Instance {
	instance := Instance{Version: version}
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		instance.Ahead, instance.ClockKnown = at.Sub(c.Now().Truncate(time.Second)), true
	}
	return instance
}
