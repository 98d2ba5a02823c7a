-- The end of the latest window that a watch judged. Performance follows the outcomes and has a progress of its own.
SELECT toUInt64(count()) AS rows, max(window_end) AS until
FROM evaluations
WHERE model = {model:String} AND environment = {environment:String} AND watch = {watch:String}
    AND (monitor IN ('performance', 'fairness') OR startsWith(signal, 'outcome.')) = {performance:UInt8}
