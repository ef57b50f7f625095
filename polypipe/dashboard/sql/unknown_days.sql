-- from activity_unknown_days: days whose activity is not known completely, of any wallet.
SELECT wallet, day, reason FROM rows
