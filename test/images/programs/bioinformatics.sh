# BLAST and samtools: a database is made and searched by two threads; SAM to sorted, indexed BAM and back.
cd /tmp
awk 'BEGIN { srand(1); for (i = 1; i <= 50; i++) { s = ""; for (j = 0; j < 500; j++) s = s substr("ACGT", 1 + int(rand() * 4), 1); print ">s" i; print s } }' >db.fa
makeblastdb -in db.fa -dbtype nucl -out db >/dev/null
awk 'NR == 34 { print ">q"; print substr($0, 101, 200) }' db.fa >q.fa
blastn -query q.fa -db db -num_threads 2 -outfmt '6 sseqid sstart send pident' | head -n 1 | grep -qx 's17	101	300	100.000'
samtools faidx db.fa && test "$(samtools faidx db.fa s17:101-110 | tail -n 1)" = "$(awk 'NR == 34 { print substr($0, 101, 10) }' db.fa)"
printf '@SQ\tSN:s1\tLN:500\nr2\t0\ts1\t200\t60\t4M\t*\t0\t0\tACGT\t*\nr1\t0\ts1\t100\t60\t4M\t*\t0\t0\tACGT\t*\n' >a.sam
samtools sort -@ 2 -o a.bam a.sam && samtools index a.bam && samtools view a.bam s1:50-150 | cut -f 1 | grep -qx r1
