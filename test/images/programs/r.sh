# R fits a linear model, forks workers (parallel), runs a shell, draws a PDF.
cat >/tmp/work.R <<'R'
set.seed(1)
x <- 1:100
fit <- lm(y ~ x, data.frame(x = x, y = 3 * x + 2))
stopifnot(all.equal(unname(coef(fit)), c(2, 3)))
stopifnot(identical(unlist(parallel::mclapply(1:8, function(i) i^2, mc.cores = 2)), (1:8)^2))
stopifnot(system("echo from a shell", intern = TRUE) == "from a shell")
write.csv(iris, "/tmp/iris.csv", row.names = FALSE)
stopifnot(nrow(read.csv("/tmp/iris.csv")) == 150)
stopifnot(all.equal(det(solve(matrix(c(2, 1, 1, 3), 2))), 0.2))
pdf("/tmp/plot.pdf"); plot(x); invisible(dev.off())
stopifnot(file.size("/tmp/plot.pdf") > 2000)
R
Rscript /tmp/work.R
head -c 5 /tmp/plot.pdf | grep -q %PDF-
