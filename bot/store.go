package bot

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite" // also the database/sql driver "sqlite"
	sqlitecode "modernc.org/sqlite/lib"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// replayWindow is how long a delivery is remembered, so that sending it again changes nothing: longer than what was missed
	// is looked for.
	replayWindow = lookBack + 24*time.Hour
	// pressWindow is how long the body of a button that was pressed is remembered: nothing in it tells one pressing from the next, and
	// people press twice for good reason.
	pressWindow = 10 * time.Minute
	// maxEvents and maxEventBytes bound what one run is given. The next run gets the rest.
	maxEvents     = 1000
	maxEventBytes = 8 << 20
)

const schema = `
create table if not exists event (
  id integer primary key autoincrement,
  repository text not null,
  delivery text not null,             -- key of the delivery, empty when the event did not come as one
  body text not null,                 -- promote.Event as JSON
  attempts integer not null default 0 -- how many runs were given it
);
create index if not exists event_repository on event (repository, id);
create index if not exists event_untried on event (repository) where attempts = 0;
create table if not exists delivery (
  key text primary key,
  received_at integer not null
) without rowid;
create index if not exists delivery_received_at on delivery (received_at);
create table if not exists twin (
  key text primary key,   -- what a delivery is known by beside its ID: its body, or the comment that it is about
  delivery text not null, -- key of the delivery
  received_at integer not null
) without rowid;
create index if not exists twin_delivery on twin (delivery);
create index if not exists twin_received_at on twin (received_at);
create table if not exists tip (
  key text primary key,   -- of a branch
  head text not null,     -- what the last push made it
  delivery text not null, -- key of that push's delivery
  received_at integer not null
) without rowid;
create index if not exists tip_delivery on tip (delivery);
create index if not exists tip_received_at on tip (received_at);
create table if not exists catch_up (
  repository text primary key,
  through integer not null -- all that was missed until then was found
) without rowid;
create table if not exists home (
  repository text primary key,
  forge text not null -- where the repository of that name was the last time
) without rowid;`

// store keeps events in SQLite, in the file that also has the jobs. It has one connection: a transaction that is open keeps
// everyone else out, so nothing that waits for the database may be called in one.
type store struct {
	db  *sql.DB
	now func() time.Time
}

// stored is an event in the store.
type stored struct {
	id       int64
	delivery string
	attempts int // with the one that goes on
	event    promote.Event
}

// arrival is an event as it came.
type arrival struct {
	repository string        // required
	event      promote.Event // required
	body       string        // digest of the webhook's body; empty when it did not come as one
}

// key is that of its delivery, empty when it did not come as one.
func (a arrival) key() string { return deliveryKey(a.repository, a.event.Delivery) }

// twins are what it is known by, whatever ID it comes with: who sends a body again can give it another ID, and several webhooks
// and the forge's own history may all tell of one comment. A check that is asked for once more has the body of the first time, and
// only makes us look.
func (a arrival) twins() []twin {
	var twins []twin
	if a.body != "" && a.event.Kind != promote.EventStatus {
		seen := twin{key: deliveryKey(a.repository, "body/"+a.body), window: replayWindow}
		if a.event.Comment.Action != "" {
			seen.window = pressWindow
		}
		twins = append(twins, seen)
	}
	if c := a.event.Comment; a.event.Kind == promote.EventComment && c.ID != 0 {
		twins = append(twins, twin{key: deliveryKey(a.repository, fmt.Sprintf("comment/%d/%d", c.Change, c.ID)), window: replayWindow})
	}
	return twins
}

// twin is what a delivery is known by beside its ID, and for how long.
type twin struct {
	key    string
	window time.Duration
}

// branch is the key of the branch that was pushed; empty for other events.
func (a arrival) branch() string {
	if a.event.Kind != promote.EventPush || a.event.Branch == "" {
		return ""
	}
	return deliveryKey(a.repository, "branch/"+string(a.event.Branch))
}

// batch is what one run is given: all events of a repository up to last that are still there.
type batch struct {
	repository string
	last       int64
	events     []stored
	dropped    []dropped
}

// dropped is an event that is given to no run any more.
type dropped struct {
	stored
	reason string
}

func openStore(ctx context.Context, path string, now func() time.Time) (*store, error) {
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dataSource(path))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(explain(err), db.Close())
	}
	return &store{db: db, now: now}, nil
}

// prepareFile makes the file readable for nobody else: it holds people's comments. What cannot work is said better here
// than by the database.
func prepareFile(path string) error {
	if path == ":memory:" {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("directory %q does not exist: create it, or name another file", filepath.Dir(path))
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("the file must be readable and writable, and its directory too; change the permissions, or name another file: %w", err)
	}
	return file.Close()
}

// dataSource locks the file for this process: two that work with one queue would run one repository twice at a time. The
// lock ends with the process, however it ends.
func dataSource(path string) string {
	pragmas := url.Values{
		"_pragma": {"busy_timeout(1000)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(FULL)"}, "_txlock": {"immediate"},
	}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: pragmas.Encode()}).String()
}

// explain says what to do about errors of the database that a person can do something about.
func explain(err error) error {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return err
	}
	const primary = 0xff // the rest is detail
	switch failure.Code() & primary {
	case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED:
		return fmt.Errorf("another process works with this file: stop it, or name another file: %w", err)
	case sqlitecode.SQLITE_NOTADB, sqlitecode.SQLITE_CORRUPT:
		return fmt.Errorf("the file is damaged or no SQLite database: move it, and those beside it that end in -wal and -shm, out of the way and start again; "+
			"only what the queue still had to do is lost, and the first sweep finds all of it but commands in comments: %w", err)
	case sqlitecode.SQLITE_READONLY, sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_PERM:
		return fmt.Errorf("the file and its directory must be writable: change the permissions, or name another file: %w", err)
	case sqlitecode.SQLITE_FULL, sqlitecode.SQLITE_IOERR:
		return fmt.Errorf("the disk is full or broken: make room, or name another file: %w", err)
	}
	return err
}

// deliveryKey is short, however long a sender's ID is.
func deliveryKey(repository, delivery string) string {
	if delivery == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(repository + "\x00" + delivery))
	return hex.EncodeToString(sum[:])
}

// add stores an event. added is false when it was there: the same delivery within the replay window, or an event without
// one that still waits. ask says whether a job is needed: the events that no run was given yet share the job of the first.
// Events without a delivery ask always, so that a job that was lost is replaced by the next sweep.
func (s *store) add(ctx context.Context, tx *sql.Tx, came arrival) (added, ask bool, err error) {
	body, err := json.Marshal(came.event)
	if err != nil {
		return false, false, fmt.Errorf("event: %w", err)
	}
	key := came.key()
	if key != "" {
		fresh, err := s.remember(ctx, tx, came)
		if err != nil || !fresh {
			return false, false, err
		}
	}
	const untried = "select exists (select 1 from event where repository = ? and attempts = 0"
	var waiting, same bool
	if err := tx.QueryRowContext(ctx, untried+")", came.repository).Scan(&waiting); err != nil {
		return false, false, fmt.Errorf("look for events: %w", err)
	}
	if key == "" && waiting {
		if err := tx.QueryRowContext(ctx, untried+" and body = ?)", came.repository, string(body)).Scan(&same); err != nil {
			return false, false, fmt.Errorf("look for equal events: %w", err)
		}
	}
	if same {
		return false, true, nil
	}
	if _, err := tx.ExecContext(ctx, "insert into event (repository, delivery, body) values (?, ?, ?)", came.repository, key, string(body)); err != nil {
		return false, false, fmt.Errorf("store event: %w", err)
	}
	return true, key == "" || !waiting, nil
}

// remember notes a delivery, and forgets those that are too old to come again. fresh is false when it was noted before, under
// whatever name.
func (s *store) remember(ctx context.Context, tx *sql.Tx, came arrival) (fresh bool, err error) {
	now := s.now()
	for _, table := range deliveryTables {
		if _, err := tx.ExecContext(ctx, "delete from "+table+" where received_at < ?", now.Add(-replayWindow).Unix()); err != nil {
			return false, fmt.Errorf("forget deliveries: %w", err)
		}
	}
	known, err := known(ctx, tx, came, now)
	if err != nil {
		return false, fmt.Errorf("look for delivery: %w", err)
	}
	if known {
		return false, nil
	}
	if err := note(ctx, tx, came, now.Unix()); err != nil {
		return false, fmt.Errorf("remember delivery: %w", err)
	}
	return true, nil
}

// deliveryTables are those in which a delivery is noted.
var deliveryTables = []string{"delivery", "twin", "tip"}

// known reports whether an event is no news: its delivery, its body or its comment was seen, or the branch is what it says already.
func known(ctx context.Context, tx *sql.Tx, came arrival, now time.Time) (known bool, err error) {
	ask := func(query string, arguments ...any) {
		if err == nil && !known {
			err = tx.QueryRowContext(ctx, "select exists ("+query+")", arguments...).Scan(&known)
		}
	}
	ask("select 1 from delivery where key = ?", came.key())
	for _, twin := range came.twins() {
		ask("select 1 from twin where key = ? and received_at >= ?", twin.key, now.Add(-twin.window).Unix())
	}
	if branch := came.branch(); branch != "" && came.event.Head != "" {
		ask("select 1 from tip where key = ? and head = ?", branch, string(came.event.Head))
	}
	return known, err
}

func note(ctx context.Context, tx *sql.Tx, came arrival, at int64) error {
	if _, err := tx.ExecContext(ctx, "insert into delivery (key, received_at) values (?, ?)", came.key(), at); err != nil {
		return err
	}
	for _, twin := range came.twins() {
		if _, err := tx.ExecContext(ctx, "insert or replace into twin (key, delivery, received_at) values (?, ?, ?)", twin.key, came.key(), at); err != nil {
			return err
		}
	}
	branch := came.branch()
	if branch == "" {
		return nil
	}
	if came.event.Head == "" { // It is gone, or the sender does not say where it is.
		_, err := tx.ExecContext(ctx, "delete from tip where key = ?", branch)
		return err
	}
	_, err := tx.ExecContext(ctx, "insert or replace into tip (key, head, delivery, received_at) values (?, ?, ?, ?)", branch, string(came.event.Head), came.key(), at)
	return err
}

// take gives the oldest events of a repository to a run, and counts that before the run starts: an event that ends the
// process each time is given up, too.
func (s *store) take(ctx context.Context, repository string) (batch, error) {
	taken := batch{repository: repository}
	err := s.change(ctx, func(tx *sql.Tx) error {
		if err := taken.read(ctx, tx); err != nil || taken.last == 0 {
			return err
		}
		for _, d := range taken.dropped {
			if err := deleteEvent(ctx, tx, d.stored); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "update event set attempts = attempts + 1 where repository = ? and id <= ?", repository, taken.last)
		return err
	})
	if err != nil {
		return batch{}, fmt.Errorf("take events: %w", err)
	}
	return taken, nil
}

func (b *batch) read(ctx context.Context, tx *sql.Tx) (err error) {
	rows, err := tx.QueryContext(ctx, "select id, delivery, attempts, body from event where repository = ? order by id limit ?", b.repository, maxEvents)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for size := 0; size < maxEventBytes && rows.Next(); {
		var e stored
		var body []byte
		if err := rows.Scan(&e.id, &e.delivery, &e.attempts, &body); err != nil {
			return err
		}
		size += len(body)
		b.last = e.id
		broken := json.Unmarshal(body, &e.event)
		switch {
		case broken != nil:
			b.dropped = append(b.dropped, dropped{e, "it cannot be read: " + broken.Error()})
		case e.attempts >= maxAttempts:
			b.dropped = append(b.dropped, dropped{e, "the process ended in the last run that had it"})
		default:
			e.attempts++
			b.events = append(b.events, e)
		}
	}
	return rows.Err()
}

// untake undoes take for the events of a run that were tried more than keep times: that it failed was not their fault.
func (s *store) untake(ctx context.Context, b batch, keep int) error {
	const statement = "update event set attempts = attempts - 1 where repository = ? and id <= ? and attempts > ?"
	if _, err := s.db.ExecContext(ctx, statement, b.repository, b.last, keep); err != nil {
		return fmt.Errorf("give events back: %w", err)
	}
	return nil
}

// untried returns the kinds of the events after an ID that no run was given yet, and the ID of the newest of them.
func (s *store) untried(ctx context.Context, repository string, after int64) (newest int64, kinds []promote.EventKind, err error) {
	rows, err := s.db.QueryContext(ctx, `select max(id), json_extract(body, '$.Kind') as kind from event
		where repository = ? and attempts = 0 and id > ? and json_valid(body) group by kind`, repository, after)
	if err != nil {
		return 0, nil, fmt.Errorf("look for new events: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		var kind sql.NullInt64 // null in a body that is no event
		if err := rows.Scan(&id, &kind); err != nil {
			return 0, nil, fmt.Errorf("look for new events: %w", err)
		}
		if kind.Valid {
			newest, kinds = max(newest, id), append(kinds, promote.EventKind(kind.Int64))
		}
	}
	return newest, kinds, rows.Err()
}

// finish forgets the events of a run that came to an end, and asks for the next run when others wait that it was not given.
func (s *store) finish(ctx context.Context, b batch, ask func(tx *sql.Tx) error) error {
	err := s.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "delete from event where repository = ? and id <= ?", b.repository, b.last); err != nil {
			return err
		}
		var more bool
		if err := tx.QueryRowContext(ctx, "select count(*) > 0 from event where repository = ?", b.repository).Scan(&more); err != nil {
			return err
		}
		if !more {
			return nil
		}
		return ask(tx)
	})
	if err != nil {
		return fmt.Errorf("forget events: %w", err)
	}
	return nil
}

// giveUp forgets events that were tried in vain, and their deliveries: a person who sends one again means it. left says
// whether others wait.
func (s *store) giveUp(ctx context.Context, repository string, events []stored) (left bool, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		for _, e := range events {
			if err := deleteEvent(ctx, tx, e); err != nil {
				return err
			}
		}
		return tx.QueryRowContext(ctx, "select count(*) > 0 from event where repository = ?", repository).Scan(&left)
	})
	if err != nil {
		return false, fmt.Errorf("give events up: %w", err)
	}
	return left, nil
}

func deleteEvent(ctx context.Context, tx *sql.Tx, e stored) error {
	if _, err := tx.ExecContext(ctx, "delete from event where id = ?", e.id); err != nil {
		return err
	}
	for _, table := range []string{"twin", "tip"} {
		if _, err := tx.ExecContext(ctx, "delete from "+table+" where delivery = ?", e.delivery); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "delete from delivery where key = ?", e.delivery)
	return err
}

// caughtUp says until when all that was missed was found; zero when nobody has looked yet.
func (s *store) caughtUp(ctx context.Context, repository string) (time.Time, error) {
	var through int64
	err := s.db.QueryRowContext(ctx, "select through from catch_up where repository = ?", repository).Scan(&through)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("look for the last catch-up: %w", err)
	}
	return time.Unix(through, 0), nil
}

// catchUp notes until when all that was missed was found.
func (s *store) catchUp(ctx context.Context, repository string, through time.Time) error {
	const statement = "insert into catch_up (repository, through) values (?, ?) on conflict (repository) do update set through = excluded.through"
	if _, err := s.db.ExecContext(ctx, statement, repository, through.Unix()); err != nil {
		return fmt.Errorf("note the catch-up: %w", err)
	}
	return nil
}

// counts says how many events wait, by repository.
func (s *store) counts(ctx context.Context) (counts map[string]int, err error) {
	rows, err := s.db.QueryContext(ctx, "select repository, count(*) from event group by repository")
	if err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	counts = map[string]int{}
	for rows.Next() {
		var repository string
		var n int
		if err := rows.Scan(&repository, &n); err != nil {
			return nil, fmt.Errorf("count events: %w", err)
		}
		counts[repository] = n
	}
	return counts, rows.Err()
}

// writable says whether a transaction that writes can be begun.
func (s *store) writable(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return tx.Rollback()
}

func (s *store) change(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
