package bot

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// homes are on which forge each repository was when the process before this one started, by name. One that an older version stored is
// not among them.
func (s *store) homes(ctx context.Context, tx *sql.Tx) (homes map[string]string, err error) {
	rows, err := tx.QueryContext(ctx, "select repository, forge from home")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	homes = map[string]string{}
	for rows.Next() {
		var repository, forge string
		if err := rows.Scan(&repository, &forge); err != nil {
			return nil, err
		}
		homes[repository] = forge
	}
	return homes, rows.Err()
}

// settle gives what is stored under each name to the repository that it is about, as it is configured now: a name may be that of another
// repository than it was, on the other forge. What is about none is forgotten.
func (s *store) settle(ctx context.Context, configured []Repository) (forgotten map[string]int, err error) {
	counts, err := s.counts(ctx)
	if err != nil {
		return nil, err
	}
	forgotten = map[string]int{}
	err = s.change(ctx, func(tx *sql.Tx) error {
		homes, err := s.homes(ctx, tx)
		if err != nil {
			return err
		}
		names := map[string]bool{}
		for name := range counts {
			names[name] = true
		}
		for name := range homes {
			names[name] = true
		}
		for name := range names {
			to, ok := heir(configured, name, homes[name])
			switch {
			case !ok:
				if counts[name] > 0 {
					forgotten[name] = counts[name]
				}
				_, err = tx.ExecContext(ctx, "delete from event where repository = ?", name)
			case to != name:
				err = move(ctx, tx, name, "\x00"+to) // Two may change names.
			}
			if err != nil {
				return err
			}
		}
		return arrive(ctx, tx, configured)
	})
	if err != nil {
		return nil, fmt.Errorf("look whose events are stored: %w", err)
	}
	return forgotten, nil
}

// heir is the repository that what is stored under a name is about. Where the forge is not known the name decides.
func heir(configured []Repository, name, forge string) (string, bool) {
	for _, r := range configured {
		if r.Name == name && (forge == "" || r.Forge == forge) {
			return name, true
		}
	}
	for _, r := range configured {
		if (forge == "" || r.Forge == forge) && (sameProject(r.Project, name) || sameProject(r.Forge+":"+r.Project, name)) {
			return r.Name, true
		}
	}
	return "", false
}

func move(ctx context.Context, tx *sql.Tx, from, to string) error {
	for _, table := range []string{"event", "catch_up", "home"} {
		if _, err := tx.ExecContext(ctx, "update or replace "+table+" set repository = ? where repository = ?", to, from); err != nil {
			return err
		}
	}
	return nil
}

// arrive ends all moves, and notes where everybody is now.
func arrive(ctx context.Context, tx *sql.Tx, configured []Repository) error {
	for _, r := range configured {
		if err := move(ctx, tx, "\x00"+r.Name, r.Name); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "insert or replace into home (repository, forge) values (?, ?)", r.Name, r.Forge); err != nil {
			return err
		}
	}
	return nil
}
