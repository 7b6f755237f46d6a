package promote

import "testing"

// showing says what people see of a promotion's head.
func showing(what string) func(*Promotion) { return func(p *Promotion) { p.Shown = what } }

// at moves a promotion to another head.
func at(head Commit) func(*Promotion) { return func(p *Promotion) { p.Head = head } }

// shows says what people see of every open promotion now.
func shows(what string) edit {
	return func(s *State) {
		for i := range s.History.Promotions {
			if p := &s.History.Promotions[i]; !p.Phase.Terminal() {
				p.Shown = what
			}
		}
	}
}

// before is the second promotion of dev as it was proposed before, at another head.
func before(edits ...func(*Promotion)) Promotion {
	return promotion(dev, 2, "1.0.1", append([]func(*Promotion){at(headTwo)}, edits...)...)
}

// behind says that the forge wants the open change on top of its target, which moved since it was proposed.
func behind(s *State) {
	s.Changes[0].Mergeability = Mergeability{MergeBehind, "need_rebase"}
	s.History.Promotions[1].Base = mergedAs
}

// What people asked for outlasts a proposal of ours that shows the same, and nothing else.
func TestWishesOutlastOnlyWhatShowsTheSame(t *testing.T) {
	const idle = "wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n"
	const merged = "do    merge change 7 at 11111111: every gate passes, and ann asked for it\n" +
		"wait  shop/dev: 1.0.1 is being merged: every gate passes, and ann asked for it\n" + idle
	const again = "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes; it was made again since ann asked for it: comment `/promote` once more\n" + idle
	const unasked = "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes\n" + idle
	decides(t, []situation{
		{
			name:  "what was made again with the same to see is merged at its new head",
			state: open(shows("a"), wished(before(showing("a")))),
			want:  merged,
			actions: []Action{Merge{
				Change: 7, Head: headOne, Promotion: "dev.0002.d4dd30e", Stage: dev, Reason: "every gate passes, and ann asked for it",
			}},
		},
		{
			name:  "what was asked for is made again where the forge wants it on top of its target",
			state: open(shows("a"), wished(promotion(dev, 2, "1.0.1", showing("a"))), behind),
			want: "do    propose 1.0.1 for shop/dev: the forge wants it on top of main, which has moved since\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: the forge wants it on top of main, which has moved since\n" + idle,
		},
		{
			name:  "and as often as its target moves",
			state: open(shows("a"), wished(before(showing("a"))), behind),
			want: "do    propose 1.0.1 for shop/dev: the forge wants it on top of main, which has moved since\n" +
				"wait  shop/dev: 1.0.1 is being proposed again: the forge wants it on top of main, which has moved since\n" + idle,
		},
		{
			name:  "what was made again with other content has to be asked for again",
			state: open(shows("b"), wished(before(showing("a")))),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes; it was proposed anew with other content since ann asked for it: " +
				"look at it, and comment `/promote` again\n" + idle,
		},
		{
			name:  "and is not made again once more because its target moves",
			state: open(shows("b"), wished(before(showing("a"))), behind),
			want: "wait  shop/dev: 1.0.1 waits for its change to be merged: every gate passes; it was proposed anew with other content since ann asked for it: " +
				"look at it, and comment `/promote` again\n" + idle,
		},
		{
			name:  "a wish of an older version is for its head only",
			state: open(shows("a"), wished(before())),
			want:  again,
		},
		{
			name:  "what nobody could see in full has to be asked for again",
			state: open(wished(before(showing("a")))),
			want:  again,
		},
		{
			name:  "what nobody could see in full twice is not the same",
			state: open(wished(before())),
			want:  again,
		},
		{
			name:  "a wish for the very head holds whatever it shows",
			state: open(shows("b"), wished(promotion(dev, 2, "1.0.1", showing("a")))),
			want:  merged,
		},
		{
			name:  "another promotion that shows the same was not asked for",
			state: open(shows("a"), wished(promotion(dev, 1, "1.0.1", at(headTwo), showing("a")))),
			want:  unasked,
		},
		{
			name:  "other freight that shows the same was not asked for",
			state: open(shows("a"), wished(promotion(dev, 2, "1.0.0", at(headTwo), showing("a")))),
			want:  unasked,
		},
		{
			name: "another stage that shows the same was not asked for",
			state: open(shows("a"), wished(before(showing("a"))), func(s *State) {
				s.History.Requests[0].Stage = prod
			}),
			want: unasked,
		},
		{
			name:  "to ask for a promotion is not to ask for its merge, whatever it shows",
			state: open(shows("a"), requested(dev, "1.0.1", 1), func(s *State) { s.History.Requests[0].Shown = "a" }),
			want:  unasked,
		},
		{
			name:  "a hold is obeyed",
			state: open(shows("a"), wished(before(showing("a"))), held(dev, ""), forgotText),
			want: "do    post status failed on 11111111: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on\n" +
				"block shop/dev: 1.0.1: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on\n" + idle,
		},
		{
			name:  "what a person pushed to it since is not merged",
			state: open(shows("a"), wished(before(showing("a"))), pushed(headTwo), found(headTwo, "1.0.1"), settled),
			want:  "wait  shop/dev: 1.0.1 waits for a person to merge its change: commits were added to it by hand\n" + idle,
		},
		{
			name:  "newer freight does not take its place",
			state: open(shows("a"), wished(before(showing("a"))), recorded("1.0.2")),
			want:  merged,
		},
		{
			name: "a version may go back as it could",
			state: open(shows("a"), wished(before(showing("a"))), evidence(headOne, func(e *Evidence) { e.Moves[0].Before = "1.0.2" }),
				forgotText),
			want: "do    merge change 7 at 11111111: every gate passes, and ann asked for it\n" +
				"wait  shop/dev: 1.0.1 is being merged: every gate passes, and ann asked for it\n" + idle,
		},
		{
			name:  "its tries in the forge's queue are those of one wish",
			state: open(shows("a"), wished(before(showing("a"))), queuedTimes(3)),
			want: "wait  shop/dev: 1.0.1 waits for a person: the forge took its change out of the merge queue 3 times: look there why, and comment " +
				"`/promote` to have it tried again\n" + idle,
		},
	})
}

// What several promotions share is merged as long as all of it shows the same.
func TestWishesOutlastInGroups(t *testing.T) {
	wish := promotion(cluster("c2"), 1, "1.0.1", inChange, inGroup("c1", "c2"), at(headTwo), showing("a"))
	const rest = "wait  shop/dev.c2: 1.0.1 shares its change with the promotion to dev.c1: all 7 gates pass\n" +
		"wait  shop/prod: 1.0.1 is not yet verified in dev.c1; not yet verified in dev.c2\n"
	decides(t, []situation{
		{
			name:  "a wish for any of them outlasts",
			state: together(shows("a"), wished(wish)),
			want: "do    merge change 7 at 11111111: every gate passes, and ann asked for it\n" +
				"wait  shop/dev.c1: 1.0.1 is being merged: every gate passes, and ann asked for it\n" + rest,
		},
		{
			name:  "but not other content of the change",
			state: together(shows("b"), wished(wish)),
			want:  "wait  shop/dev.c1: 1.0.1 waits for its change to be merged: every gate passes\n" + rest,
		},
	})
}

// Who holds a stage or rejects its freight has second thoughts: what is proposed anew after that is asked for anew.
func TestSecondThoughtsPinWishes(t *testing.T) {
	const onHold = "post status failed on 11111111: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on"
	answers(t, []exchange{
		{
			name:  "promote says that it outlasts what shows the same",
			state: open(shows("a"), says(asked(VerbPromote))),
			want: "record that ann asks for d4dd30e in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"merge change 7 at 11111111: every gate passes, and ann asked for it",
			reaction: ReactionDone,
			reply: "`1.0.1` is merged into `shop/dev` as soon as every gate passes, at `11111111`. " +
				"If it has to be proposed anew, that holds as long as it shows the same.",
		},
		{
			name:  "a hold pins what was asked for",
			state: open(shows("a"), wished(before(showing("a"))), forgotText, says(asked(VerbHold))),
			want: "hold shop/dev for ann\n" +
				"record that ann asked for d4dd30e in shop/dev at 22222222 only\n" +
				"reply to comment 31 on change 7\n" +
				"update the text of change 7\n" + onHold,
			reaction: ReactionDone,
			reply:    "`shop/dev` is on hold: nothing is proposed or merged until `/resume dev`.",
		},
		{
			name: "also when the process died before it was pinned",
			state: open(shows("a"), wished(before(showing("a"))), held(dev, ""), forgotText, func(s *State) {
				s.Statuses[headOne] = Status{}
			}, says(asked(VerbHold))),
			want: "record that ann asked for d4dd30e in shop/dev at 22222222 only\n" +
				"reply to comment 31 on change 7\n" + onHold,
			reaction: ReactionDone,
			reply:    "`shop/dev` is on hold: nothing is proposed or merged until `/resume dev`.",
		},
		{
			name:  "what is held and resumed at once was held",
			state: open(shows("a"), wished(before(showing("a"))), forgotText, says(another(asked(VerbHold))), says(asked(VerbResume))),
			want: "hold shop/dev for ann\n" +
				"record that ann asked for d4dd30e in shop/dev at 22222222 only\n" +
				"reply to comment 30 on change 7\n" +
				"resume shop/dev for ann\n" +
				"reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`shop/dev` goes on.",
		},
		{
			name: "a hold on one stage of a change pins what was asked for of another",
			state: together(shows("a"), wished(promotion(cluster("c2"), 1, "1.0.1", inGroup("c1", "c2"), at(headTwo), showing("a"))), forgotText,
				says(asked(VerbHold, "dev.c1"))),
			want: "hold shop/dev.c1 for ann\n" +
				"record that ann asked for d4dd30e in shop/dev.c2 at 22222222 only\n" +
				"reply to comment 31 on change 7\n" +
				"update the text of change 7\n" +
				"post status failed on 11111111: 6 of 7 gates pass; hold: dev.c1: held by ann; comment `/resume dev.c1` to go on",
			reaction: ReactionDone,
			reply:    "`shop/dev.c1` is on hold: nothing is proposed or merged until `/resume dev.c1`.",
		},
		{
			name:  "a hold on another stage pins nothing",
			state: open(shows("a"), wished(promotion(dev, 2, "1.0.1", showing("a"))), says(asked(VerbHold, "prod"))),
			want: "hold shop/prod for ann\n" +
				"reply to comment 31 on change 7\n" +
				"merge change 7 at 11111111: every gate passes, and ann asked for it",
			reaction: ReactionDone,
			reply:    "`shop/prod` is on hold: nothing is proposed or merged until `/resume prod`.",
		},
		{
			name:  "a rejection that is taken back pins what was asked for",
			state: open(shows("a"), wished(before(showing("a"))), says(another(asked(VerbReject))), says(asked(VerbAccept))),
			want: "record that ann asked for d4dd30e in shop/dev at 22222222 only\n" +
				"record that ann rejects d4dd30e\n" +
				"reply to comment 30 on change 7\n" +
				"record that ann accepts d4dd30e again\n" +
				"reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.1` may be promoted again.",
		},
	})
}

// A pinned request stays what it was for whoever counts who asked: it only loses what it showed.
func TestPinnedRequestKeepsItsHead(t *testing.T) {
	wish := before(showing("a"))
	for _, action := range Decide(open(shows("a"), wished(wish), says(asked(VerbHold)))).Actions {
		if pin, ok := action.(PinRequest); ok {
			if r := pin.Request; r.Head != headTwo || r.Shown != "" || r.Merge != wish.ID || r.By != "ann" || r.Key != "change-7-comment-1" {
				t.Errorf("pinned as %+v", r)
			}
			return
		}
	}
	t.Error("nothing was pinned")
}
