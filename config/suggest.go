package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxListed is how many known keys a hint lists at most; more would hide the message.
const maxListed = 12

// hintFor helps with a word that is not among the known ones: the one probably meant, or else all of them.
func hintFor(word string, known []string) string {
	if best := closest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) == 0 || len(known) > maxListed {
		return ""
	}
	return "known here: " + strings.Join(known, ", ")
}

// closest returns the known word with the least edit distance to word, or "" when none is close enough for the
// difference to be a slip of the hand. Of equally close ones it returns the first.
func closest(word string, known []string) string {
	letters := utf8.RuneCountInString(word)
	best, least := "", 1+max(1, letters/3)
	for _, k := range known {
		d := distance(strings.ToLower(word), strings.ToLower(k))
		if d < least && d < max(letters, utf8.RuneCountInString(k)) { // not all of it is different
			best, least = k, d
		}
	}
	return best
}

// distance counts the insertions, deletions, substitutions and swaps of neighbours that turn a into b (optimal
// string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}
