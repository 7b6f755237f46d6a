package promote

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// verifies gives dev a verification, and lets its policy roll back.
func verifies(back AutoRollback) edit {
	return pipeline(func(p *Pipeline) {
		p.Stages[0].Verify = []Step{{Uses: "analysis-web", As: "verify-health-up"}}
		p.Policies[0].AutoRollback = back
	})
}

func failedIn(as string, status StepStatus) func(*Promotion) {
	return func(p *Promotion) {
		delivering(p)
		failed(p)
		p.Message = as + " failed"
		p.Results = []StepResult{{As: "step-1", Status: StepSucceeded}, {As: as, Status: status, Message: "503"}}
	}
}

func TestDecideRollback(t *testing.T) {
	ranOne := []edit{recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0")}
	with := func(edits ...edit) State { return known(append(ranOne, edits...)...) }
	all := AutoRollback{Promotion: true, Verification: true}
	decides(t, []situation{
		{
			name:  "a failed verification is rolled back where the policy says so",
			state: with(verifies(all), promoted(promotion(dev, 2, "1.0.1", failedIn("verify-health-up", StepFailed))), bad("1.0.1")),
			want: "do    propose 1.0.0 for shop/dev: 1.0.1 failed, and the policy rolls back\n" +
				"wait  shop/dev: 1.0.0 is being proposed: 1.0.1 failed, and the policy rolls back\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a failed delivery is not, when the policy is about verification",
			state: with(verifies(AutoRollback{Verification: true}), promoted(promotion(dev, 2, "1.0.1", failedIn("step-2", StepFailed)))),
			want: "block shop/dev: promotion dev.0002.d4dd30e of 1.0.1 failed: step-2 failed; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a failed delivery is, when the policy is about promotion",
			state: with(verifies(AutoRollback{Promotion: true}), promoted(promotion(dev, 2, "1.0.1", failedIn("step-2", StepFailed)))),
			want: "do    propose 1.0.0 for shop/dev: 1.0.1 failed, and the policy rolls back\n" +
				"wait  shop/dev: 1.0.0 is being proposed: 1.0.1 failed, and the policy rolls back\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "without a policy a failure stops the line",
			state: with(verifies(AutoRollback{}), promoted(promotion(dev, 2, "1.0.1", failedIn("verify-health-up", StepFailed)))),
			want: "block shop/dev: promotion dev.0002.d4dd30e of 1.0.1 failed: verify-health-up failed; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "what was never merged is not rolled back",
			state: with(verifies(all), promoted(promotion(dev, 2, "1.0.1", failed))),
			want: "block shop/dev: promotion dev.0002.d4dd30e of 1.0.1 failed: its change was closed without being merged by bob; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "a rollback that fails is not rolled back",
			state: with(recorded("1.0.2"), verifies(all), promoted(promotion(dev, 2, "1.0.1", failedIn("step-2", StepFailed)), promotion(dev, 3, "1.0.0", failedIn("step-2", StepFailed), func(p *Promotion) { p.Actor = AutoRollbackActor })), bad("1.0.2"), bad("1.0.1")),
			want: "block shop/dev: ran 1.0.0; promotion dev.0003.4b6b780 of 1.0.0 failed after it was merged: step-2 failed; comment `/promote dev 1.0.0` to go back\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
		{
			name:  "where nothing ran before there is nothing to go back to",
			state: known(recorded("1.0.1"), verifies(all), promoted(promotion(dev, 1, "1.0.1", failedIn("step-2", StepFailed)))),
			want: "block shop/dev: promotion dev.0001.d4dd30e of 1.0.1 failed: step-2 failed; comment `/promote dev 1.0.1` to try again, or wait for newer freight\n" +
				"wait  shop/prod: 1.0.1 is not yet verified in dev\n",
		},
		{
			name:  "what a person asks for comes before",
			state: with(recorded("1.0.2"), verifies(all), promoted(promotion(dev, 2, "1.0.1", failedIn("step-2", StepFailed))), requested(dev, "1.0.2", 2)),
			want: "do    propose 1.0.2 for shop/dev: ann asked for it\n" +
				"wait  shop/dev: 1.0.2 is being proposed: ann asked for it\n" +
				"wait  shop/prod: 1.0.0 waits for a person, because no promotion policy lets it in: comment `/promote prod 1.0.0`\n",
		},
	})
}

func TestVerificationRejects(t *testing.T) {
	stage := Stage{Name: "dev", Verify: []Step{{As: "verify-a"}, {As: "verify-b", ContinueOnError: true}}}
	for _, c := range []struct {
		name string
		p    Promotion
		want Rejection
	}{
		{"a metric that failed rejects", promotion(dev, 1, "1.0.1", failedIn("verify-a", StepFailed)), Rejection{
			Project: "shop", Freight: version("1.0.1").ID, By: "verification in dev", Reason: "503", At: promotion(dev, 1, "1.0.1", failed).FinishedAt,
		}},
		{"a metric that could not be measured does not", promotion(dev, 1, "1.0.1", failedIn("verify-a", StepErrored)), Rejection{}},
		{"a metric that only watches does not", promotion(dev, 1, "1.0.1", failedIn("verify-b", StepFailed)), Rejection{}},
		{"a step of the promotion does not", promotion(dev, 1, "1.0.1", failedIn("step-2", StepFailed)), Rejection{}},
		{"a promotion that succeeded does not", promotion(dev, 1, "1.0.1", succeeded), Rejection{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := VerificationRejects(c.p, stage)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
