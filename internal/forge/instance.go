package forge

import "time"

// Instance is the forge that answers.
type Instance struct {
	Version    string        // empty when it does not say
	Ahead      time.Duration // of its clock before ours, to the second
	ClockKnown bool          // it said what time it is
}

// Instance is who answered, with the time of the last answer.
func (c Connection) Instance(version string) Instance {
	instance := Instance{Version: version}
	instance.Ahead, instance.ClockKnown = c.Clock.Ahead()
	return instance
}
