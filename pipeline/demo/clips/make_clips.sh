#!/usr/bin/env bash
# Makes the demo's clips anew: made-up sentences, spoken by espeak-ng, converted by sox. Both are Debian packages.
set -eu
cd "$(dirname "$0")"

say() { # id, voice, words a minute, pitch, sox options of the file, sentence
  espeak-ng -v "$2" -s "$3" -p "$4" -w spoken.wav "$6"
  # shellcheck disable=SC2086
  sox spoken.wav $5 "$1.flac" gain -3
  rm spoken.wav
}

say 1 en-gb 155 45 "-r 16000" "Good morning Mrs Hollis, I am Doctor Brennan. How long have you had the cough?"
say 2 en-us 165 55 "-r 16000" "It started on the third of May, about two weeks after I came back from Hobart."
say 3 en-gb-scotland 150 40 "-r 8000" "He is sixty four years old and he works as a bus driver in Wexford."
say 4 en-us 160 60 "-r 44100 -c 2" "Please take the tablets every morning and come back to the chest clinic at half past nine on Tuesday."
say 5 cmn 150 50 "-r 16000" "林小姐早安,我是陳醫師,今天哪裡不舒服?"
say 6 cmn 160 45 "-r 16000" "我上個星期三開始頭痛,大概痛了五天。"
say 7 cmn 145 55 "-r 22050" "他今年七十二歲,住在台南,以前是國小老師。"
say 8 cmn 150 50 "-r 16000" "請你下午兩點到心臟內科三樓複診。"
