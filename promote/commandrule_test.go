package promote

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func rules(all ...CommandRule) edit { return func(s *State) { s.Rules = all } }

// release lets only the release team, cleo and owners promote to prod.
var release = CommandRule{
	Verbs: []Verb{VerbPromote, VerbRollback}, Stages: []string{"shop/prod"}, Teams: []string{"acme/release"}, Users: []string{"@cleo"},
	CodeOwners: true, Source: "lockkeeper.yaml:3",
}

// as returns a command of somebody with what is known of them.
func as(name string, at Standing, c Command) Command {
	c.Comment.Author, c.Permission, c.Teams, c.Owned = name, at.Permission, at.Teams, at.Owned
	return c
}

func TestRulesDecideWhoMayCommand(t *testing.T) {
	foreign := Change{Number: 3, Branch: "feature"}
	write := Standing{Permission: PermissionWrite}
	toProd := on(foreign, asked(VerbPromote, "prod"))
	promotes := "record that %s asks for d4dd30e in shop/prod\nreply to comment 31 on change 7\npropose 1.0.1 for shop/prod: %s asked for it"
	refused := "reply to comment 31 on change 7"
	nobody := "`/promote` on `shop/prod` is for members of `acme/release`, `cleo`, owners of all files that the stage writes; " +
		"`ann` is none of them (lockkeeper.yaml:3). "
	answers(t, []exchange{
		{
			"who is none of those that a rule names is refused, with the place of the rule",
			idleShop(rules(release), says(as("ann", write, toProd))),
			refused, ReactionDenied, nobody + "It is not known which files the stage writes.",
		},
		{
			"a member of a team may", idleShop(rules(release), says(as("ann", Standing{Permission: PermissionWrite, Teams: []string{"acme/release"}}, toProd))),
			fmt.Sprintf(promotes, "ann", "ann"), ReactionDone, "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			"a member of another team may not", idleShop(rules(release), says(as("ann", Standing{Permission: PermissionAdmin, Teams: []string{"acme"}}, toProd))),
			refused, ReactionDenied, nobody + "It is not known which files the stage writes.",
		},
		{
			"a named person may, in whatever case", idleShop(rules(release), says(as("Cleo", write, toProd))),
			fmt.Sprintf(promotes, "Cleo", "Cleo"), ReactionDone, "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			"a named person who may only read may not", idleShop(rules(release), says(as("cleo", Standing{Permission: PermissionRead}, toProd))),
			refused, ReactionDenied, "`/promote` on `shop/prod` needs write permission in this repository; `cleo` has read (lockkeeper.yaml:3).",
		},
		{
			"an owner of the files may", idleShop(rules(release), says(as("ann", Standing{Permission: PermissionWrite, Owned: map[StageRef]string{prod: ""}}, toProd))),
			fmt.Sprintf(promotes, "ann", "ann"), ReactionDone, "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			"an owner of some of the files may not",
			idleShop(rules(release), says(as("ann", Standing{Permission: PermissionWrite, Owned: map[StageRef]string{prod: "`a.yaml` is owned by `@bob`"}}, toProd))),
			refused, ReactionDenied, nobody + "`a.yaml` is owned by `@bob`.",
		},
		{
			"an owner of another stage's files may not",
			idleShop(rules(release), says(as("ann", Standing{Permission: PermissionWrite, Owned: map[StageRef]string{dev: ""}}, toProd))),
			refused, ReactionDenied, nobody + "It is not known which files the stage writes.",
		},
		{
			"another stage is as without rules", idleShop(rules(release), says(as("ann", write, on(foreign, asked(VerbHold, "dev"))))),
			"hold shop/dev for ann\nreply to comment 31 on change 7", ReactionDone, "`shop/dev` is on hold: nothing is proposed or merged until `/resume dev`.",
		},
		{
			"another verb is as without rules", idleShop(rules(release), says(as("ann", write, on(foreign, asked(VerbHold, "prod"))))),
			"hold shop/prod for ann\nreply to comment 31 on change 7", ReactionDone, "`shop/prod` is on hold: nothing is proposed or merged until `/resume prod`.",
		},
		{
			"the first rule that fits decides",
			idleShop(rules(CommandRule{Stages: []string{"*/prod"}, Permission: PermissionMaintain, Source: "lockkeeper.yaml:1"}, release), says(as("cleo", write, toProd))),
			refused, ReactionDenied, "`/promote` on `shop/prod` needs maintain permission in this repository; `cleo` has write (lockkeeper.yaml:1).",
		},
		{
			"a rule may let those command who may only read, when it names them",
			idleShop(rules(CommandRule{Permission: PermissionRead, Users: []string{"ann"}}), says(as("ann", Standing{Permission: PermissionRead}, toProd))),
			fmt.Sprintf(promotes, "ann", "ann"), ReactionDone, "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			"and not those who may not even read",
			idleShop(rules(CommandRule{Permission: PermissionRead, Users: []string{"ann"}}), says(as("ann", Standing{}, toProd))),
			refused, ReactionDenied, "`/promote` on `shop/prod` needs read permission in this repository; `ann` has none.",
		},
		{
			"no rule keeps a reader from the status",
			idleShop(rules(CommandRule{Permission: PermissionAdmin}), says(as("ann", Standing{Permission: PermissionRead}, on(foreign, asked(VerbStatus, "dev"))))),
			refused, ReactionDone, "|  | stage | runs | next | why |\n|---|---|---|---|---|\n| ✅ | `shop/dev` | `1.0.1` | – | runs 1.0.1, nothing newer |\n",
		},
		{
			"a stranger is not told which stages there are",
			idleShop(rules(release), says(as("eve", Standing{}, on(foreign, asked(VerbPromote, "prd"))))),
			refused, ReactionDenied, "`/promote` needs write permission in this repository; `eve` has none.",
		},
		{
			"a job cannot prove who started it", idleShop(rules(release), says(func() Command { c := as("cleo", write, toProd); c.Claimed = true; return c }())),
			refused, ReactionDenied,
			"`/promote` on `shop/prod` is for certain people (lockkeeper.yaml:3), and a job cannot prove who started it: comment on a change instead.",
		},
		{
			"where a rule asks for no one in particular a job may command",
			idleShop(rules(CommandRule{Permission: PermissionWrite}), says(func() Command { c := as("cleo", write, toProd); c.Claimed = true; return c }())),
			fmt.Sprintf(promotes, "cleo", "cleo"), ReactionDone, "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			"a rejection is about every stage that takes the freight",
			idleShop(rules(CommandRule{Stages: []string{"shop/prod"}, Permission: PermissionMaintain}), says(as("ann", write, on(foreign, asked(VerbReject, "1.0.1"))))),
			refused, ReactionDenied, "`/reject` on `shop/prod` needs maintain permission in this repository; `ann` has write.",
		},
	})
}

func TestWhatIsNotSureIsAskedAgain(t *testing.T) {
	c := asked(VerbHold, "dev")
	c.Unsure = true
	want := []Action{Reply{
		Change: 7, Comment: 31, Reaction: ReactionSeen, Again: true,
		Body: "It could not be found out whether `ann` may do that, so nothing was done. It is tried again.",
	}}
	if diff := cmp.Diff(want, Decide(idleShop(says(c))).Actions); diff != "" {
		t.Error(diff)
	}
}

func TestWhatACommandConcerns(t *testing.T) {
	for _, row := range []struct {
		name  string
		state State
		c     Command
		want  []StageRef
	}{
		{"what is merged in one change", together(), asked(VerbPromote, "dev.c1"), []StageRef{cluster("c1"), cluster("c2")}},
		{"a stage that shares a change and is held", together(), asked(VerbHold, "dev.c1"), []StageRef{cluster("c1")}},
		{"a gate and what is behind it", known(recorded("1.0.1"), gated), asked(VerbAdmit, "gate", "1.0.1"), []StageRef{{"shop", "gate"}, prod}},
		{"what takes a freight", idleShop(), asked(VerbAccept, "1.0.1"), []StageRef{dev, prod}},
		{"what is rolled back", idleShop(), asked(VerbRollback, "dev"), []StageRef{dev}},
		{"what is tried again", idleShop(), on(mergedChange(dev), asked(VerbRetry)), []StageRef{dev}},
		{"what was just discovered", known(discovered("1.0.4")), asked(VerbPromote, "dev", "1.0.4"), []StageRef{dev}},
		{"what nobody knows", idleShop(), asked(VerbPromote, "nope"), nil},
		{"nothing", idleShop(), asked(VerbStatus), nil},
		{"what is on record already", idleShop(requested(dev, "1.0.1", 2)), func() Command {
			c := asked(VerbPromote, "dev")
			c.Comment.Change, c.Comment.ID = 1, 1
			return c
		}(), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			if len(row.state.Changes) > 0 && row.c.Change.Number == 0 {
				row.c.Change = row.state.Changes[0]
			}
			if diff := cmp.Diff(row.want, Concerns(row.state, row.c)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARuleFitsTheTargetsOfAStage(t *testing.T) {
	s := together(rules(CommandRule{Stages: []string{"shop/dev"}, Users: []string{"ann"}}))
	if _, ruled := s.Rule(VerbPromote, cluster("c1")); !ruled {
		t.Error("the target of a stage has no rule")
	}
	if _, ruled := s.Rule(VerbPromote, prod); ruled {
		t.Error("another stage has it")
	}
}

func TestWhoAskedMayNotAdmitAlone(t *testing.T) {
	foreign := Change{Number: 3, Branch: "feature"}
	four := rules(CommandRule{Verbs: []Verb{VerbAdmit}, NotAuthor: true, Source: "lockkeeper.yaml:9"})
	waiting := promotion(dev, 1, "1.0.1", preparing, waits(WaitsApproval), byAnn)
	answers(t, []exchange{
		{
			"who asked for the promotion", known(recorded("1.0.1"), promoted(waiting), four, says(on(foreign, asked(VerbAdmit, "dev")))),
			"reply to comment 31 on change 7", ReactionDenied,
			"`ann` asked for `1.0.1` in `shop/dev`: somebody else has to admit it first (lockkeeper.yaml:9).",
		},
		{
			"who asked, after somebody else did", known(recorded("1.0.1"), promoted(waiting), four, approved(dev, "1.0.1", "bob"), says(on(foreign, asked(VerbAdmit, "dev")))),
			"record that ann lets d4dd30e into shop/dev\nreply to comment 31 on change 7\npropose 1.0.1 for shop/dev: a step that waited goes on",
			ReactionDone, "`1.0.1` is approved for `shop/dev`.",
		},
		{
			"without the rule whoever may write", known(recorded("1.0.1"), promoted(waiting), says(on(foreign, asked(VerbAdmit, "dev")))),
			"record that ann lets d4dd30e into shop/dev\nreply to comment 31 on change 7\npropose 1.0.1 for shop/dev: a step that waited goes on",
			ReactionDone, "`1.0.1` is approved for `shop/dev`.",
		},
		{
			"who admitted it may not ask for it", known(recorded("1.0.1"), held(dev, ""), four, approved(prod, "1.0.1", "ann"), says(on(foreign, asked(VerbPromote, "prod", "1.0.1")))),
			"reply to comment 31 on change 7", ReactionDenied,
			"Only `ann` admitted `1.0.1` to `shop/prod`: somebody else has to admit it, too, or to ask for it (lockkeeper.yaml:9).",
		},
		{
			"unless its upstream stages let it in", idleShop(four, approved(prod, "1.0.1", "ann"), says(on(foreign, asked(VerbPromote, "prod", "1.0.1")))),
			"record that ann asks for d4dd30e in shop/prod\nreply to comment 31 on change 7\npropose 1.0.1 for shop/prod: ann asked for it",
			ReactionDone, "`1.0.1` is promoted to `shop/prod`.",
		},
	})
}

func TestApprovalsThatCount(t *testing.T) {
	waiting := promotion(dev, 1, "1.0.1", preparing, waits(WaitsApproval), byAnn)
	write, read := Standing{Permission: PermissionWrite}, Standing{Permission: PermissionRead}
	for _, row := range []struct {
		name   string
		rules  []CommandRule
		people map[string]Standing
		want   []string
	}{
		{"of those who may write", nil, map[string]Standing{"ann": write, "bob": write}, []string{"ann", "bob"}},
		{"not of those who may only read", nil, map[string]Standing{"ann": write, "bob": read}, []string{"ann"}},
		{"not of those of whom nothing is known", nil, map[string]Standing{"bob": write}, []string{"bob"}},
		{"of those that a rule names", []CommandRule{{Verbs: []Verb{VerbApprove}, Users: []string{"bob"}}}, map[string]Standing{"ann": write, "bob": write}, []string{"bob"}},
		{"of no rule about another verb", []CommandRule{{Verbs: []Verb{VerbPromote}, Users: []string{"eve"}}}, map[string]Standing{"ann": write, "bob": write}, []string{"ann", "bob"}},
		{"not of who asked alone", []CommandRule{{NotAuthor: true}}, map[string]Standing{"ann": write, "bob": read}, nil},
		{"of who asked and another", []CommandRule{{NotAuthor: true}}, map[string]Standing{"ann": write, "bob": write}, []string{"ann", "bob"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := known(recorded("1.0.1"), promoted(waiting), approved(dev, "1.0.1", "ann"), approved(dev, "1.0.1", "bob"), rules(row.rules...))
			var got []string
			for _, a := range s.Counting(waiting, row.people) {
				got = append(got, a.By)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAJobsApprovalIsNobodysInParticular(t *testing.T) {
	waiting := promotion(dev, 1, "1.0.1", preparing, waits(WaitsApproval))
	s := known(recorded("1.0.1"), promoted(waiting), approved(dev, "1.0.1", "cleo"))
	s.History.Approvals[0].Key = "run-12"
	people := map[string]Standing{"cleo": {Permission: PermissionWrite}}
	if got := s.Counting(waiting, people); len(got) != 1 {
		t.Errorf("without rules: %v", got)
	}
	s.Rules = []CommandRule{{Users: []string{"cleo"}}}
	if got := s.Counting(waiting, people); len(got) != 0 {
		t.Errorf("where cleo is asked for: %v", got)
	}
}

func TestACommandIsBoundToItsHead(t *testing.T) {
	at := func(head Commit, c Command) Command { c.Comment.Head = head; return c }
	wait := func(s *State) {
		for i := range s.History.Promotions {
			if s.History.Promotions[i].Change == 7 {
				s.History.Promotions[i].Waits = WaitsApproval
			}
		}
	}
	answers(t, []exchange{
		{
			"what waits is not approved at another head", open(wait, settled, says(at(headTwo, asked(VerbAdmit)))),
			"reply to comment 31 on change 7", ReactionDenied,
			"`1.0.1` is not approved for `shop/dev`: the branch moved since that was written: look again, and repeat it.",
		},
		{
			"a merge is not asked for at another head", open(says(at(headTwo, asked(VerbPromote)))),
			"reply to comment 31 on change 7", ReactionDenied,
			"`1.0.1` is not merged into `shop/dev`: the proposal was made again since: look at it, and comment once more.",
		},
	})
}
