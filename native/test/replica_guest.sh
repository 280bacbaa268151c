# A guest for replica_test: pipelines, background jobs, traps, here-documents, files; its result, in $OUT, is always the same.
f=$OUT
echo start > $f
for i in 1 2 3; do echo "x$i" | tr x y | sed 's/y/z/' >> $f; done
(sleep 0.05; echo bg >> $f) &
wait
n=$(seq 1 20 | wc -l); echo $n >> $f
trap 'echo usr >> $f' USR1
kill -USR1 $$
cat <<X >> $f
heredoc
X
mkdir d; echo q > d/a; mv d/a d/b; cat d/b >> $f; rm -r d
exit 5
