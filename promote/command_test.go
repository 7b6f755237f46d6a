package promote

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCommands(t *testing.T) {
	foreign := Change{Number: 3, Branch: "feature"}
	answers(t, []exchange{
		{
			name:     "an unknown verb is answered with the nearest one",
			state:    idleShop(says(on(foreign, asked("promte", "dev")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "There is no command `/promte`. Did you mean `/promote`? `/help` lists them all.",
		},
		{
			name:     "a verb that is like none is answered with the list",
			state:    idleShop(says(on(foreign, asked("lgtm")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "There is no command `/lgtm`. `/help` lists them all.",
		},
		{
			name: "a comment that comes late does not undo what was asked for after it",
			state: idleShop(requested(dev, "1.0.1", 2), func(s *State) { s.History.Requests[0].By = "bob" }, func(s *State) {
				late := on(foreign, asked(VerbPromote, "dev", "1.0.0"))
				late.Comment.At = now.Add(-time.Minute)
				says(late)(s)
			}),
			want: "reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/dev: bob asked for it",
			reaction: ReactionDenied,
			reply:    "`1.0.0` cannot go to `shop/dev`: bob asked for 1.0.1 after that was written; comment once more to have it all the same.",
		},
		{
			name:     "who may only read cannot promote",
			state:    idleShop(says(by(PermissionRead, on(foreign, asked(VerbPromote, "prod"))))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`/promote` needs write permission in this repository; `ann` has read.",
		},
		{
			name:     "who may only read cannot hold",
			state:    idleShop(says(by(PermissionRead, on(foreign, asked(VerbHold, "prod"))))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`/hold` needs write permission in this repository; `ann` has read.",
		},
		{
			name:     "who may only read cannot resume",
			state:    idleShop(held(prod, ""), says(by(PermissionRead, on(foreign, asked(VerbResume, "prod"))))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`/resume` needs write permission in this repository; `ann` has read.",
		},
		{
			name:     "who may read gets the status",
			state:    idleShop(says(by(PermissionRead, on(foreign, asked(VerbStatus))))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply: "|  | stage | runs | next | why |\n" +
				"|---|---|---|---|---|\n" +
				"| ✅ | `shop/dev` | `1.0.1` | – | runs 1.0.1, nothing newer |\n" +
				"| ⏳ | `shop/prod` | – | `1.0.1` | 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.1` |\n",
		},
		{
			name:     "who may not even read gets nothing",
			state:    idleShop(says(by(PermissionNone, on(foreign, asked(VerbStatus))))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`/status` needs read permission in this repository; `ann` has none.",
		},
		{
			name:     "help lists every command",
			state:    idleShop(says(on(foreign, asked(VerbHelp)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply: "Commands, one to a comment, at the start of a line:\n" +
				"\n" +
				"| command | who | what it does |\n" +
				"|---|---|---|\n" +
				"| `/promote [stage] [version]` | write | On an open change: merge it as soon as every gate passes. On a merged one: promote its freight to the next stage. With a stage: promote to that stage, the version if one is named. |\n" +
				"| `/rollback [stage] [version]` | write | Reject what the stage runs, and promote what it ran before, or the version that is named. |\n" +
				"| `/retry` | write | Promote the freight of this change once more, after its promotion failed or was closed. |\n" +
				"| `/admit [stage] [version]` | write | Approve the freight of this change where a step waits for that. Who maintains the repository lets a freight into a stage with it that its upstream stages did not verify. |\n" +
				"| `/approve [stage] [version]` | write | The same as `/admit`, where the forge does not take it for a command of its own, as GitLab does. |\n" +
				"| `/reject [version] [reason]` | write | Mark a freight as bad: it is promoted to no stage any more. |\n" +
				"| `/accept [version]` | write | Take a rejection back. |\n" +
				"| `/hold [stage] [reason]` | write | Keep the stage as it is: nothing is proposed or merged until `/resume`. |\n" +
				"| `/resume [stage]` | write | Lift the hold. |\n" +
				"| `/status [stage]` | read | Say what every stage runs, what is next, and what it waits for. |\n" +
				"| `/help` | read | Show this list. |\n",
		},
		{
			name:     "the status of one stage",
			state:    idleShop(says(on(foreign, asked(VerbStatus, "prod")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply: "|  | stage | runs | next | why |\n" +
				"|---|---|---|---|---|\n" +
				"| ⏳ | `shop/prod` | – | `1.0.1` | 1.0.1 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.1` |\n",
		},
		{
			name:  "the status says what the commands of the same moment did",
			state: idleShop(autoProd, says(on(foreign, another(asked(VerbHold, "prod")))), says(on(foreign, asked(VerbStatus, "prod")))),
			want: "hold shop/prod for ann\n" +
				"reply to comment 30 on change 7\n" +
				"reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply: "|  | stage | runs | next | why |\n" +
				"|---|---|---|---|---|\n" +
				"| ❌ | `shop/prod` | – | `1.0.1` | held by ann; comment `/resume prod` to go on |\n",
		},
		{
			name:     "the status of a stage that does not exist guesses",
			state:    idleShop(says(on(foreign, asked(VerbStatus, "prd")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "There is no stage `prd`; did you mean `prod`? `/status` lists them all.",
		},
		{
			name:     "a stage is needed on a change that is no promotion",
			state:    idleShop(says(on(foreign, asked(VerbPromote)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "Nothing says which stage: name it, as in `/promote dev`.",
		},
		{
			name:     "a stage is needed to hold on a change that is no promotion",
			state:    idleShop(says(on(foreign, asked(VerbHold)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "Nothing says which stage: name it, as in `/hold dev`.",
		},
		{
			name:     "the change of a fork is no promotion whatever its branch is called",
			state:    idleShop(says(on(Change{Number: 3, Branch: "lockkeeper/shop/dev", Fork: true}, asked(VerbHold)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "Nothing says which stage: name it, as in `/hold dev`.",
		},
		{
			name:     "a repository without stages has no example",
			state:    known(func(s *State) { s.Pipelines = nil }, says(on(foreign, asked(VerbHold)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "Nothing says which stage: name it, as in `/hold <stage>`.",
		},
		{
			name:     "a stage that two projects have must be told apart",
			state:    idleShop(otherProject, says(on(foreign, asked(VerbHold, "dev")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "2 projects have a stage `dev`: write `/hold shop/dev`.",
		},
		{
			name:  "a stage is told apart by its project",
			state: idleShop(otherProject, says(on(foreign, asked(VerbHold, "bank/dev", "year", "end")))),
			want: "hold bank/dev for ann\n" +
				"reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`bank/dev` is on hold: nothing is proposed or merged until `/resume bank/dev`.",
		},
		{
			name:  "promote on an open change wishes its merge, which happens at once when every gate passes",
			state: open(says(asked(VerbPromote))),
			want: "record that ann asks for d4dd30e in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"merge change 7 at 11111111: every gate passes, and ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is merged into `shop/dev` as soon as every gate passes, at `11111111`.",
		},
		{
			name:  "promote on an open change that has to wait is remembered",
			state: open(evidence(headOne, func(e *Evidence) { e.Applications[0].Problem = "HTTP 503" }), settled, says(asked(VerbPromote))),
			want: "record that ann asks for d4dd30e in shop/dev\n" +
				"reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.1` is merged into `shop/dev` as soon as every gate passes, at `11111111`.",
		},
		{
			name:  "promote with the stage on its open change wishes its merge too",
			state: open(says(asked(VerbPromote, "dev"))),
			want: "record that ann asks for d4dd30e in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"merge change 7 at 11111111: every gate passes, and ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is merged into `shop/dev` as soon as every gate passes, at `11111111`.",
		},
		{
			name:     "promote on a change with commits of a person says that a person merges it",
			state:    open(pushed(headTwo), found(headTwo, "1.0.1"), settled, says(asked(VerbPromote))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`1.0.1` is not merged into `shop/dev`: commits were added to its change by hand, and nothing is merged that was not proposed: a person has to merge it.",
		},
		{
			name:     "promote that was written on what was made again since is refused",
			state:    open(says(asked(VerbPromote)), func(s *State) { s.Commands[0].Comment.Head = headTwo }),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`1.0.1` is not merged into `shop/dev`: the proposal was made again since: look at it, and comment once more.",
		},
		{
			name:  "promote on another change is not about the head of that one",
			state: open(says(on(Change{Number: 3, Branch: "feature", Head: headTwo}, asked(VerbPromote, "dev"))), func(s *State) { s.Commands[0].Comment.Change = 3 }),
			want: "record that ann asks for d4dd30e in shop/dev\n" +
				"reply to comment 31 on change 3\n" +
				"merge change 7 at 11111111: every gate passes, and ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is merged into `shop/dev` as soon as every gate passes, at `11111111`.",
		},
		{
			name:  "promote on a merged change takes its freight to the next stage",
			state: idleShop(says(on(mergedChange(dev), asked(VerbPromote)))),
			want: "record that ann asks for d4dd30e in shop/prod\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/prod: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			name:  "promote on a merged change finds the next stage behind a control-flow stage",
			state: idleShop(gated, says(on(mergedChange(dev), asked(VerbPromote)))),
			want: "record that ann asks for d4dd30e in shop/prod\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/prod: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			name: "promote on a merged change with several next stages asks which",
			state: idleShop(canary(false), pipeline(func(p *Pipeline) {
				p.Stages[2].Requests = p.Stages[1].Requests
				p.Stages[1].Requests = []FreightRequest{{Warehouse: "web", Stages: []string{"dev"}}}
				p.Stages[2].Requests = p.Stages[1].Requests
			}), says(on(mergedChange(dev), asked(VerbPromote)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "2 stages follow `shop/dev`: `prod, canary`; name one, as in `/promote prod`.",
		},
		{
			name:     "promote on the last stage has nowhere to go",
			state:    idleShop(ran(prod, 1, "1.0.1"), says(on(Change{Number: 7, Branch: "lockkeeper/shop/prod", State: ChangeMerged}, asked(VerbPromote)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "No stage follows `shop/prod`.",
		},
		{
			name:  "promote on a closed change tries again",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", failed)), says(on(Change{Number: 7, Branch: "lockkeeper/shop/dev", State: ChangeClosed}, asked(VerbPromote)))),
			want: "record that ann asks for d4dd30e in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/dev: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/dev`.",
		},
		{
			name:  "promote with the stage on a change that failed tries its freight again",
			state: known(recorded("1.0.1", "1.0.2"), promoted(promotion(dev, 1, "1.0.1", failed)), says(on(Change{Number: 7, Branch: "lockkeeper/shop/dev", State: ChangeClosed}, asked(VerbPromote, "dev")))),
			want: "hold freight of web for shop/dev for ann\n" +
				"record that ann asks for d4dd30e in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/dev: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/dev`. Freight of `web` is not promoted there automatically until `/resume dev`.",
		},
		{
			name:  "promote with the stage on a change that arrived takes what is new, not what the change was about",
			state: idleShop(recorded("1.0.2"), pipeline(func(p *Pipeline) { p.Policies = nil }), says(on(mergedChange(dev), asked(VerbPromote, "dev")))),
			want: "record that ann asks for e450ed6 in shop/dev\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.2 for shop/dev: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.2` is promoted to `shop/dev`.",
		},
		{
			name:  "promote with another stage takes the freight of the change there",
			state: idleShop(says(on(mergedChange(dev), asked(VerbPromote, "prod")))),
			want: "record that ann asks for d4dd30e in shop/prod\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/prod: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			name:  "promote with a stage takes the newest that is available, not the newest there is",
			state: idleShop(recorded("1.0.2"), held(dev, ""), says(on(foreign, asked(VerbPromote, "prod")))),
			want: "record that ann asks for d4dd30e in shop/prod\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/prod: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			name:  "promote with a version takes that one",
			state: idleShop(says(on(foreign, asked(VerbPromote, "prod", "1.0.0")))),
			want: "record that ann asks for 4b6b780 in shop/prod\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.0 for shop/prod: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.0` is promoted to `shop/prod`.",
		},
		{
			name:  "promote with the start of a freight ID takes that one",
			state: idleShop(says(on(foreign, asked(VerbPromote, "prod", "D4DD30E")))),
			want: "record that ann asks for d4dd30e in shop/prod\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/prod: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			name:     "promote with a version that nobody knows lists those there are",
			state:    idleShop(says(on(foreign, asked(VerbPromote, "prod", "1.0.7")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "No freight `1.0.7` for `shop/prod`; there is: `1.0.1; 1.0.0`.",
		},
		{
			name:     "promote to a stage without freight says so",
			state:    known(says(on(foreign, asked(VerbPromote, "dev")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "There is no freight yet for `shop/dev`.",
		},
		{
			name:     "promote with a version but without freight says so",
			state:    known(says(on(foreign, asked(VerbPromote, "dev", "1.0.1")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "There is no freight yet for `shop/dev`.",
		},
		{
			name:     "promote with what was not verified upstream is refused",
			state:    idleShop(recorded("1.0.2"), held(dev, ""), says(on(foreign, asked(VerbPromote, "prod", "1.0.2")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`1.0.2` cannot go to `shop/prod`: not yet verified in dev.",
		},
		{
			name:     "promote to a held stage is refused, and what the holder wrote does not act",
			state:    idleShop(held(prod, "@all <b>freeze</b>"), says(on(foreign, asked(VerbPromote, "prod")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`1.0.1` cannot go to `shop/prod`: held by ann (@\u200ball &lt;b>freeze&lt;/b>); comment `/resume prod` to go on.",
		},
		{
			name:  "promote to a control-flow stage is refused",
			state: idleShop(gated, says(on(foreign, asked(VerbPromote, "gate")))),
			want: "reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically",
			reaction: ReactionDenied,
			reply:    "`1.0.1` cannot go to `shop/gate`: it is a control-flow stage: it has no steps and nothing is promoted to it.",
		},
		{
			name:     "promote to a stage with an error is refused",
			state:    idleShop(finding(Finding{Severity: SeverityError, Message: "broken", Stage: prod}), says(on(foreign, asked(VerbPromote, "prod")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`1.0.1` cannot go to `shop/prod`: error: broken.",
		},
		{
			name:     "promote what cannot be proposed is refused",
			state:    idleShop(unmade(prod, "1.0.1", "no key image.tag"), says(on(foreign, asked(VerbPromote, "prod")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`1.0.1` cannot go to `shop/prod`: no key image.tag.",
		},
		{
			name: "promote what is being delivered changes nothing",
			state: known(recorded("1.0.1"), promoted(promotion(dev, 1, "1.0.1", delivering)), func(s *State) {
				s.Deliveries[PromotionRef{dev, "dev.0001.d4dd30e"}] = Delivering{"syncing", now.Add(time.Minute)}
			}, says(on(mergedChange(dev), asked(VerbPromote, "dev")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.1` is on its way to `shop/dev` already.",
		},
		{
			name: "promote that was recorded before the process died is answered the same and recorded once",
			state: idleShop(promoted(promotion(prod, 1, "1.0.1", inChange)), opened(promotion(prod, 1, "1.0.1")), found(headOne, "1.0.1"), settled, func(s *State) {
				s.History.Requests = []Request{{Key: "change-7-comment-31", Stage: prod, Freight: version("1.0.1").ID, By: "ann", At: now}}
			}, says(on(foreign, asked(VerbPromote, "prod")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			name:  "the same comment twice counts once",
			state: idleShop(says(on(foreign, asked(VerbPromote, "prod"))), says(on(foreign, asked(VerbPromote, "prod")))),
			want: "record that ann asks for d4dd30e in shop/prod\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/prod: ann asked for it",
			reaction: ReactionDone,
			reply:    "`1.0.1` is promoted to `shop/prod`.",
		},
		{
			name:  "a change is known by the ledger too, whatever its branch is called",
			state: open(change(func(c *Change) { c.Branch = "renamed" }), func(s *State) { s.Tips = map[Branch]Commit{"lockkeeper/shop/dev": headOne} }, says(asked(VerbHold))),
			want: "hold shop/dev for ann\n" +
				"reply to comment 31 on change 7\n" +
				"update the text of change 7\n" +
				"post status failed on 11111111: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on",
			reaction: ReactionDone,
			reply:    "`shop/dev` is on hold: nothing is proposed or merged until `/resume dev`.",
		},
		{
			name:     "a branch of a stage that is not declared is no promotion",
			state:    idleShop(says(on(Change{Number: 3, Branch: "lockkeeper/shop/qa"}, asked(VerbHold)))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "Nothing says which stage: name it, as in `/hold dev`.",
		},
		{
			name:  "hold on an open change holds its stage, at once",
			state: open(autoMerge, says(asked(VerbHold))),
			want: "hold shop/dev for ann\n" +
				"reply to comment 31 on change 7\n" +
				"update the text of change 7\n" +
				"post status failed on 11111111: 6 of 7 gates pass; hold: held by ann; comment `/resume dev` to go on",
			reaction: ReactionDone,
			reply:    "`shop/dev` is on hold: nothing is proposed or merged until `/resume dev`.",
		},
		{
			name:  "hold on an open change takes words for a reason",
			state: open(says(asked(VerbHold, "release", "party"))),
			want: "hold shop/dev for ann\n" +
				"reply to comment 31 on change 7\n" +
				"update the text of change 7\n" +
				"post status failed on 11111111: 6 of 7 gates pass; hold: held by ann (release party); comment `/resume dev` to go on",
			reaction: ReactionDone,
			reply:    "`shop/dev` is on hold: nothing is proposed or merged until `/resume dev`.",
		},
		{
			name:     "hold twice says who was first",
			state:    idleShop(held(prod, ""), says(on(foreign, asked(VerbHold, "prod"))), func(s *State) { s.Commands[0].Comment.Author = "bob" }),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`shop/prod` is already held by `ann`.",
		},
		{
			name:     "hold that was recorded before the process died is answered the same",
			state:    idleShop(held(prod, ""), says(on(foreign, asked(VerbHold, "prod")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`shop/prod` is on hold: nothing is proposed or merged until `/resume prod`.",
		},
		{
			name:  "two people hold at the same moment and one hold is made",
			state: idleShop(says(on(foreign, another(asked(VerbHold, "prod")))), says(on(foreign, asked(VerbHold, "prod"))), func(s *State) { s.Commands[1].Comment.Author = "bob" }),
			want: "hold shop/prod for ann\n" +
				"reply to comment 30 on change 7\n" +
				"reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`shop/prod` is already held by `ann`.",
		},
		{
			name:  "resume lifts the hold, and what waited goes on at once",
			state: idleShop(autoProd, held(prod, ""), says(on(foreign, asked(VerbResume, "prod")))),
			want: "resume shop/prod for ann\n" +
				"reply to comment 31 on change 7\n" +
				"propose 1.0.1 for shop/prod: newest available, and the policy promotes automatically",
			reaction: ReactionDone,
			reply:    "`shop/prod` goes on.",
		},
		{
			name:     "resume without a hold says so",
			state:    idleShop(says(on(foreign, asked(VerbResume, "prod")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDone,
			reply:    "`shop/prod` is not on hold.",
		},
		{
			name:     "resume of a stage that does not exist guesses",
			state:    idleShop(says(on(foreign, asked(VerbResume, "pord")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "There is no stage `pord`; did you mean `prod`? `/status` lists them all.",
		},
		{
			name:     "an author and a verb that try to act are quoted",
			state:    idleShop(says(by(PermissionNone, on(foreign, asked(VerbHold)))), func(s *State) { s.Commands[0].Comment.Author = "`@all`" }),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "`/hold` needs write permission in this repository; `` `@all` `` has none.",
		},
		{
			name:     "a stage that tries to act is quoted",
			state:    idleShop(says(on(foreign, asked(VerbResume, "`</details>")))),
			want:     "reply to comment 31 on change 7",
			reaction: ReactionDenied,
			reply:    "There is no stage `` `</details> ``; `/status` lists them all.",
		},
	})
}

// exchange is a command and what comes of it.
type exchange struct {
	name     string
	state    State
	want     string // the actions, the reply last or first
	reaction Reaction
	reply    string
}

func answers(t *testing.T, all []exchange) {
	t.Helper()
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			plan := Decide(c.state)
			var lines []string
			var reply Reply
			for _, action := range plan.Actions {
				lines = append(lines, action.String())
				if a, ok := action.(Reply); ok {
					reply = a
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(lines, "\n")); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(Reply{Change: c.state.Commands[0].Comment.Change, Comment: 31, Body: c.reply, Reaction: c.reaction}, reply); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A wish to merge is for the head that the person saw.
func TestWishNamesItsHead(t *testing.T) {
	want := Request{
		Key: "change-7-comment-31", Stage: dev, Freight: version("1.0.1").ID, By: "ann", At: now,
		Merge: "dev.0002.d4dd30e", Head: headOne, After: 2,
	}
	for _, action := range Decide(open(says(asked(VerbPromote)))).Actions {
		if a, ok := action.(RecordRequest); ok {
			if diff := cmp.Diff(want, a.Request); diff != "" {
				t.Error(diff)
			}
			return
		}
	}
	t.Error("nothing was recorded")
}

func TestCheckCommand(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"a command", "/promote staging 1.0.2", ""},
		{"one in capitals", "/Promote staging", ""},
		{"one in a later line", "Please:\n/status\n", ""},
		{"no slash", "promote staging", `"promote staging" is no command: did you mean "/promote"?`},
		{"no slash and a typing mistake", "rolback web", `"rolback web" is no command: did you mean "/rollback"?`},
		{"two slashes", "//promote staging", `"//promote staging" is no command: did you mean "/promote"?`},
		{"a space before it", " /hold web", `" /hold web" is no command: did you mean "/hold"?`},
		{"a typing mistake", "/promot staging", `there is no command "/promot": did you mean "/promote"?`},
		{"another program's", "/lgtm", `there is no command "/lgtm": there are /promote, /rollback, /retry, /admit, /approve, /reject, /accept, /hold, /resume, /status, /help`},
		{"no command at all", "go on", `"go on" is no command: write one as in a comment, such as /promote staging 1.0.2`},
		{"a slash alone", "/", `"/" is no command: write one as in a comment, such as /promote staging 1.0.2`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := ""
			if err := CheckCommand(row.text); err != nil {
				got = err.Error()
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
