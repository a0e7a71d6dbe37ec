# gfortran: a program with OpenMP, formatted files and a shell command.
cd /tmp
cat >work.f90 <<'FORTRAN'
program work
  implicit none
  integer :: i, status
  real(8) :: total
  total = 0
  !$omp parallel do reduction(+:total)
  do i = 1, 100000
    total = total + sqrt(real(i, 8))
  end do
  open(10, file='/tmp/f.txt'); write(10, '(f12.1)') total; close(10)
  open(10, file='/tmp/f.txt'); read(10, *) total; close(10)
  call execute_command_line('test -e /etc/passwd', exitstat=status)
  print '(f12.1, i2)', total, status
end program
FORTRAN
gfortran -O2 -fopenmp -o work work.f90
test "$(OMP_NUM_THREADS=4 ./work)" = '  21082009.0 0'
