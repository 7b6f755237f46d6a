// Package bot is the server: it takes webhooks, queues them durably, and runs the loop of promote/reconcile, one repository
// at a time. It owns the intake, the queue, the sweep, the metrics and the endpoints. It decides nothing about promotions.
//
// An event is stored before it is answered, and forgotten only when a run of the loop that had it came to an end. The events
// of one repository that wait together are worked off by one run, in the order in which they came. A run that fails is tried
// again after a pause, in which nothing else runs for its repository; an event is given up, with a line in the log, after
// twelve failures, or after three when the answer is a refusal. A sweep looks at every repository at the start and from time
// to time, so that an event that never came is found out too.
//
// The same delivery twice within four days is one event. So is the same body under another ID, because a signature does not
// cover the ID, and the same comment and the same push, whoever tells of it. A delivery counts as seen once its event is stored, and no more when
// the event was given up: then sending it again tries it again.
//
// Forges send a webhook that nobody took a few times, or never again. At the start and from time to time each forge is asked
// for what was missed since that was asked last and went through, up to three days back. The events found are stored like those
// of webhooks, and only then the time is. When it is not known, because the queue is new, one hour is looked back.
//
// The queue is one SQLite file, which one process at a time may open. It may be deleted while no process runs: what it still
// had to do is found by the next sweep, except for commands in comments that are older than that hour.
//
// A registry's webhook says what has something new and not who waits for it: it is an event for every repository, and one that
// is lost is made up for by the interval of each warehouse.
//
// # Endpoints
//
//	POST /webhook/<forge>           webhooks of a forge; 2xx to everything authentic that could be stored
//	POST /webhooks/<kind>           webhooks of a registry, likewise
//	POST /webhooks/<kind>/<token>   the same where the token in the path is all that the sender can show
//	GET  /healthz                   200 while the process lives
//	GET  /readyz                    200 when events can be stored and the workers run
//	GET  /metrics                   Prometheus; see Metrics.Descriptions
package bot
