package mailserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

func deliver(s *Server, n int) []imap.UID {
	uids := make([]imap.UID, 0, n)
	for i := range n {
		uids = append(uids, imap.UID(s.Deliver(fmt.Appendf(nil, "Subject: mail %d\r\n\r\n", i))))
	}
	return uids
}

func wantCounts(t testing.TB, s *Server, want map[string]int) {
	t.Helper()
	got := s.Counts()
	maps.DeleteFunc(got, func(_ string, n int) bool { return n == 0 })
	if !maps.Equal(got, want) {
		t.Errorf("folders hold %v, want %v", got, want)
	}
}

func TestLogin(t *testing.T) {
	s := start(t, Config{Username: "ann", Password: "secret"})
	for _, pair := range [][2]string{{"ann", "wrong"}, {"bob", "secret"}, {"", ""}} {
		c, err := imapclient.DialInsecure(s.IMAPAddr(), nil)
		must(t, err)
		wantCode(t, c.Login(pair[0], pair[1]).Wait(), imap.ResponseCodeAuthenticationFailed)
		_ = c.Close()
	}
}

func TestUIDsGrowAndAreNeverUsedTwice(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s, nil)
	got := deliver(s, 3)
	must(t, c.Noop().Wait())
	_, err := c.Move(imap.UIDSetNum(got[2]), "Review").Wait()
	must(t, err)
	wantUIDs(t, append(got, deliver(s, 1)...), 1, 2, 3, 4)

	cmd := c.Append(inbox, 4, nil)
	_, err = cmd.Write([]byte("text"))
	must(t, err)
	must(t, cmd.Close())
	data, err := cmd.Wait()
	must(t, err)
	if data.UID != 5 || data.UIDValidity != choose(t, c, inbox).UIDValidity {
		t.Errorf("appended as %+v, want UID 5", data)
	}
}

func TestMove(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s, nil)
	got := deliver(s, 3)
	must(t, c.Noop().Wait())

	data, err := c.Move(imap.UIDSetNum(got[1]), "Processed").Wait()
	must(t, err)
	if data.SourceUIDs.String() != "2" || data.DestUIDs.String() != "1" {
		t.Errorf("moved %v to %v, want 2 to 1", data.SourceUIDs, data.DestUIDs)
	}
	wantUIDs(t, uids(t, c, &imap.SearchCriteria{}), 1, 3)

	_, err = c.Move(imap.UIDSetNum(got[0]), "Nowhere").Wait()
	wantCode(t, err, imap.ResponseCodeTryCreate)
	_, err = c.Move(imap.UIDSetNum(got[0]), "inbox").Wait()
	wantCode(t, err, imap.ResponseCodeCannot)
	data, err = c.Move(imap.UIDSetNum(got[1]), "Processed").Wait() // gone already
	if err != nil || data.SourceUIDs != nil {
		t.Errorf("moving nothing gives %+v, %v", data, err)
	}
	wantCounts(t, s, map[string]int{inbox: 2, "Processed": 1})
}

func TestCopyStoreExpunge(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s, nil)
	got := deliver(s, 3)
	must(t, c.Noop().Wait())
	data, err := c.Copy(imap.UIDSetNum(got...), "Review").Wait()
	must(t, err)
	if data.SourceUIDs.String() != "1:3" || data.DestUIDs.String() != "1:3" {
		t.Errorf("copied %v to %v", data.SourceUIDs, data.DestUIDs)
	}
	mark := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted, "$Custom"}}
	msgs, err := c.Store(imap.UIDSetNum(got[0], got[2]), mark, nil).Collect()
	must(t, err)
	if len(msgs) != 2 || !slices.Contains(msgs[0].Flags, "$Custom") {
		t.Errorf("stored %+v", msgs)
	}
	must(t, c.UIDExpunge(imap.UIDSetNum(got[0], got[1])).Close())
	wantUIDs(t, uids(t, c, &imap.SearchCriteria{}), 2, 3)
	must(t, c.Expunge().Close())
	wantUIDs(t, uids(t, c, &imap.SearchCriteria{}), 2)

	choose(t, c, "Review")
	wantUIDs(t, uids(t, c, &imap.SearchCriteria{Flag: []imap.Flag{imap.FlagDeleted}})) // copies do not follow
	wantCounts(t, s, map[string]int{inbox: 1, "Review": 3})
}

func TestHiddenExtensions(t *testing.T) {
	s := start(t, Config{Hide: []imap.Cap{imap.CapMove, imap.CapUIDPlus}})
	c := dial(t, s, nil)
	if caps := c.Caps(); caps.Has(imap.CapMove) || caps.Has(imap.CapUIDPlus) {
		t.Errorf("offered %v", caps)
	}
	deliver(s, 1)
	must(t, c.Noop().Wait())
	data, err := c.Copy(imap.UIDSetNum(1), "Review").Wait()
	if err != nil || len(data.SourceUIDs) > 0 {
		t.Errorf("copy says %+v, %v, want no COPYUID", data, err)
	}
}

func TestSearch(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s, nil)
	wantUIDs(t, uids(t, c, &imap.SearchCriteria{})) // of an empty folder
	s.Deliver([]byte("From: ann@a.test\r\nSubject: Order\r\n of screws\r\n\r\nten boxes\r\n"))
	s.Deliver([]byte("From: bob@b.test\r\nSubject: hello\r\n\r\norder later\r\n" + strings.Repeat("x", 1000)))
	s.Deliver([]byte("no header at all"))
	must(t, c.Noop().Wait())
	must(t, c.Store(imap.UIDSetNum(2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged}}, nil).Close())
	must(t, c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsSet, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close())
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for name, tc := range map[string]struct {
		criteria imap.SearchCriteria
		want     []imap.UID
	}{
		"all":           {imap.SearchCriteria{}, []imap.UID{1, 2, 3}},
		"uids":          {imap.SearchCriteria{UID: []imap.UIDSet{{{Start: 2, Stop: 0}}}}, []imap.UID{2, 3}},
		"the last":      {imap.SearchCriteria{SeqNum: []imap.SeqSet{{{Start: 0, Stop: 0}}}}, []imap.UID{3}},
		"beyond":        {imap.SearchCriteria{UID: []imap.UIDSet{{{Start: 9, Stop: 0}}}}, []imap.UID{3}},
		"flag":          {imap.SearchCriteria{Flag: []imap.Flag{imap.FlagFlagged}}, []imap.UID{2}},
		"no flag":       {imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, []imap.UID{2, 3}},
		"larger":        {imap.SearchCriteria{Larger: 500}, []imap.UID{2}},
		"smaller":       {imap.SearchCriteria{Smaller: 20}, []imap.UID{3}},
		"since":         {imap.SearchCriteria{Since: today.AddDate(0, 0, -2)}, []imap.UID{1, 2, 3}},
		"before":        {imap.SearchCriteria{Before: today.AddDate(0, 0, -2)}, nil},
		"text":          {imap.SearchCriteria{Text: []string{"ORDER"}}, []imap.UID{1, 2}},
		"body":          {imap.SearchCriteria{Body: []string{"order"}}, []imap.UID{2}},
		"from":          {imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "From", Value: "Ann"}}}, []imap.UID{1}},
		"folded":        {imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "screws"}}}, []imap.UID{1}},
		"another field": {imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "From", Value: "hello"}}}, nil},
		"not":           {imap.SearchCriteria{Not: []imap.SearchCriteria{{UID: []imap.UIDSet{imap.UIDSetNum(2)}}}}, []imap.UID{1, 3}},
		"or":            {imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{{Larger: 500}, {Smaller: 20}}}}, []imap.UID{2, 3}},
	} {
		t.Run(name, func(t *testing.T) { wantUIDs(t, uids(t, c, &tc.criteria), tc.want...) })
	}
	_, err := c.UIDSearch(&imap.SearchCriteria{SentSince: today}, nil).Wait()
	wantCode(t, err, imap.ResponseCodeCannot)
}

func TestFolders(t *testing.T) {
	s := start(t, Config{Folders: []string{"Old/2024", "Old/2025"}})
	c := dial(t, s, nil)
	list := func(pattern string) string {
		folders, err := c.List("", pattern, nil).Collect()
		must(t, err)
		var names []string
		for _, f := range folders {
			names = append(names, f.Mailbox)
		}
		return strings.Join(names, " ")
	}
	must(t, c.Create("Review", nil).Wait())
	wantCode(t, c.Create("Review", nil).Wait(), imap.ResponseCodeAlreadyExists)
	for pattern, want := range map[string]string{"*": "INBOX Old/2024 Old/2025 Review", "%": "INBOX Review", "Old/*": "Old/2024 Old/2025", "inbox": "INBOX", "No": ""} {
		if got := list(pattern); got != want {
			t.Errorf("list %q is %q, want %q", pattern, got, want)
		}
	}
	must(t, c.Delete("Old/2024").Wait())
	wantCode(t, c.Delete("Old/2024").Wait(), imap.ResponseCodeNonExistent)
	wantCode(t, c.Delete("INBOX").Wait(), imap.ResponseCodeCannot)
	wantCode(t, c.Rename("Review", "Checked", nil).Wait(), imap.ResponseCodeCannot)
	must(t, c.Subscribe("Review").Wait())
	wantCode(t, c.Subscribe("Old/2024").Wait(), imap.ResponseCodeNonExistent)
	wantCode(t, c.Unsubscribe("Review").Wait(), imap.ResponseCodeCannot)

	deliver(s, 2)
	st, err := c.Status(inbox, &imap.StatusOptions{NumMessages: true, NumUnseen: true, UIDNext: true, UIDValidity: true}).Wait()
	must(t, err)
	if *st.NumMessages != 2 || *st.NumUnseen != 2 || st.UIDNext != 3 || st.UIDValidity == 0 {
		t.Errorf("status %+v", st)
	}
	_, err = c.Status("Old/2024", &imap.StatusOptions{NumMessages: true}).Wait()
	wantCode(t, err, imap.ResponseCodeNonExistent)
	if _, err = c.Select("Old/2024", nil).Wait(); err == nil {
		t.Error("a deleted folder was selected")
	}
}

// What one client does, the others hear of, in terms of their own sequence numbers.
func TestOtherClientsHearOfChanges(t *testing.T) {
	s := start(t, Config{})
	deliver(s, 4)
	var gone []uint32
	var total []uint32
	listener := dial(t, s, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Expunge: func(seq uint32) { gone = append(gone, seq) },
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				total = append(total, *data.NumMessages)
			}
		},
	}})
	actor := dial(t, s, nil)
	_, err := actor.Move(imap.UIDSetNum(1, 3), "Review").Wait()
	must(t, err)
	deliver(s, 1)

	// A search by sequence numbers must not renumber the mails, so what left is not told yet.
	data, err := listener.Search(&imap.SearchCriteria{}, nil).Wait()
	must(t, err)
	if got := fmt.Sprint(data.AllSeqNums(), gone, total); got != "[2 4] [] [5]" {
		t.Errorf("during the search: %s", got)
	}
	must(t, listener.Noop().Wait())
	if got := fmt.Sprint(gone, total); got != "[3 1] [5]" {
		t.Errorf("after a NOOP: %s", got)
	}
	data, err = listener.Search(&imap.SearchCriteria{}, nil).Wait()
	must(t, err)
	if got := fmt.Sprint(data.AllSeqNums()); got != "[1 2 3]" {
		t.Errorf("now: %s", got)
	}
}

func TestOtherClientsHearOfFlags(t *testing.T) {
	s := start(t, Config{})
	deliver(s, 2)
	told := make(chan string, 8)
	listener := dial(t, s, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Fetch: func(msg *imapclient.FetchMessageData) {
			if buf, err := msg.Collect(); err == nil {
				told <- fmt.Sprint(buf.SeqNum, buf.UID, buf.Flags)
			}
		},
	}})
	actor := dial(t, s, nil)
	_, err := actor.Move(imap.UIDSetNum(1), "Review").Wait()
	must(t, err)
	must(t, actor.Store(imap.UIDSetNum(2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged}}, nil).Close())
	must(t, listener.Noop().Wait())
	if got, want := <-told, `1 2 [\Flagged]`; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestClientThatVanishesWhileIdling(t *testing.T) {
	s := start(t, Config{})
	c := plain(t, s.IMAPAddr())
	expect(t, c, "", "* OK")
	expect(t, c, "a LOGIN orders orders", "a OK")
	expect(t, c, "b SELECT INBOX", "b OK")
	expect(t, c, "c IDLE", "+ idling")
	deliver(s, 1)
	expect(t, c, "", "* 1 EXISTS")
	vanish(t, c, "")
	deliver(s, 1)
	wantCounts(t, s, map[string]int{inbox: 2})
}

func TestIdleTellsOfNewMail(t *testing.T) {
	s := start(t, Config{})
	told := make(chan uint32, 8)
	c := dial(t, s, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				told <- *data.NumMessages
			}
		},
	}})
	idle, err := c.Idle()
	must(t, err)
	for want := uint32(1); want <= 3; want++ {
		deliver(s, 1)
		select {
		case got := <-told:
			if got != want {
				t.Errorf("told of %d mails, want %d", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the idling client was told nothing")
		}
	}
	must(t, idle.Close())
	must(t, idle.Wait())
	wantUIDs(t, uids(t, c, &imap.SearchCriteria{}), 1, 2, 3)
}

func TestRebuild(t *testing.T) {
	s := start(t, Config{})
	deliver(s, 2)
	c := dial(t, s, nil)
	before := choose(t, c, inbox).UIDValidity
	_, err := c.Move(imap.UIDSetNum(1), "Review").Wait()
	must(t, err)
	must(t, s.Rebuild(inbox))
	<-c.Closed()
	c = dial(t, s, nil)
	if after := choose(t, c, inbox); after.UIDValidity <= before || after.UIDNext != 2 {
		t.Errorf("rebuilt as %+v, UIDVALIDITY was %d", after, before)
	}
	if err := s.Rebuild("Nowhere"); err == nil {
		t.Error("a missing folder was rebuilt")
	}
}
