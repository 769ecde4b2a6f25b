package control

import (
	"context"
	"net/http"
)

// AuditList is what GET /api/v1/audit answers.
type AuditList struct {
	Records []AuditRecord `json:"records"`
	Next    string        `json:"next,omitempty"`
}

type auditInput struct {
	By      string       `query:"by" maxLength:"200" example:"ops" doc:"Only what this one asked for."`
	Asked   string       `query:"asked" maxLength:"100" example:"stopWorker" doc:"Only what was asked for of this kind."`
	Outcome AuditOutcome `query:"outcome" doc:"Only what came to this."`
	Before  string       `query:"before" maxLength:"100" doc:"Go on before this ID: the next of the page before."`
	Limit   int          `query:"limit" minimum:"1" default:"100" doc:"How many at most. More than 1000 counts as 1000."`
}

func auditEndpoints() []entry {
	return []entry{read(endpoint{
		id: "listAudit", method: http.MethodGet, path: "/api/v1/audit", access: accessAdmin, tag: tagAudit, summary: "List the audit",
		detail: "The last 1000 records of this process, the latest first: every change that was asked for, every payload that was read, and everybody who was denied something. " +
			"`platform.control.audit.file` has all of them.",
		answer: "The records.", example: AuditList{Records: exampleAudit()},
	}, func(_ context.Context, s *Service, in *auditInput) (AuditList, error) {
		list, next, err := s.Audit(AuditFilter{By: in.By, Asked: in.Asked, Outcome: in.Outcome, Before: in.Before, Limit: in.Limit})
		return AuditList{list, next}, err
	})}
}

// What each command is about, for the audit.

func (in *reasonInput) about() (target, task, reason string) { return "", "", in.Body.reason() }

func (in *stopInput) about() (target, task, reason string) {
	if in.Body != nil {
		reason = in.Body.Reason
	}
	return "", "", reason
}

func (in *workerReasonInput) about() (target, task, reason string) {
	return in.Name, "", in.Body.reason()
}

func (in *workerStopInput) about() (target, task, reason string) {
	if in.Body != nil {
		reason = in.Body.Reason
	}
	return in.Name, "", reason
}

func (in *workerChangeInput) about() (target, task, reason string) {
	return in.Name, "", in.Body.Reason
}

func (in *queueReasonInput) about() (target, task, reason string) {
	return in.Name, "", in.Body.reason()
}

func (in *purgeInput) about() (target, task, reason string) { return in.Name, "", in.Body.Reason }

func (in *taskReasonInput) about() (target, task, reason string) {
	return in.Name, in.ID, in.Body.reason()
}

func (in *oneTaskInput) about() (target, task, reason string) { return in.Name, in.ID, "" }
